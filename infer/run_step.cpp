#include <algorithm>

#include "base/integer/kernels/kernels.h"
#include "infer/codes.h"
#include "infer/plan.h"

namespace ntq::infer {
namespace {

/// One share of one step.
class StepRun {
 public:
  StepRun(const Plan& plan, const Step& step, const StepMemory& memory, uint8_t* scratch, int64_t index, int64_t count)
      : plan_(plan), step_(step), memory_(memory), scratch_(scratch), index_(index), count_(count) {}

  void operator()(const IntegerLayer& l) const {
    const int64_t pixels = memory_.images * l.shape.out_h * l.shape.out_w;
    const bool few = l.few.weights.size() > 0 && integer::prefers_direct(l.shape, pixels);
    const integer::PackedWeights& w = few ? l.few : l.packed;
    const integer::Conv conv = {.shape = l.shape,
                                .x = at<uint8_t>(step_.x),
                                .weights = reinterpret_cast<const int8_t*>(w.weights.data()),
                                .start = w.start.empty() ? nullptr : w.start.data(),
                                .zero = l.bounds.zero,
                                .x_top = l.bounds.x_top,
                                .w_top = l.bounds.w_top,
                                .shift_by_taps = l.shift_by_taps,
                                .window_sums = step_.windows == kNoBuffer ? nullptr : at<int32_t>(step_.windows),
                                .epilogue = epilogue(l.scale, l.shift)};
    const integer::Part part = part_of(l.shape);
    if (part.empty()) return;
    if (w.winograd) {
      plan_.kernels->winograd(conv, part, scratch_);
    } else if (w.tight) {
      plan_.kernels->tight(conv, part, scratch_);
    } else {
      plan_.kernels->conv(conv, part);
    }
  }

  void operator()(const WindowSums& w) const {
    const Range rows = share(memory_.images * w.shape.out_h);
    plan_.kernels->window_sums({.shape = w.shape,
                                .channels = w.channels,
                                .x = at<uint8_t>(step_.x),
                                .zero = w.zero,
                                .times = w.halves,
                                .sums = at<int32_t>(step_.y)},
                               rows.begin, rows.end, reinterpret_cast<int32_t*>(scratch_));
  }

  void operator()(const FloatLayer& l) const {
    const integer::FloatConv conv = {.shape = l.shape,
                                     .channels = l.channels,
                                     .x = at<float>(step_.x),
                                     .weights = reinterpret_cast<const float*>(l.weights.data()),
                                     .shift_by_taps = l.shift_by_taps,
                                     .epilogue = epilogue(l.scale, l.shift)};
    const integer::Part part = part_of(l.shape);
    if (!part.empty()) plan_.kernels->float_conv(conv, part);
  }

  void operator()(const Pointwise& p) const {
    const Range pixels = share(memory_.images * p.pixels);
    integer::Epilogue e = epilogue(p.scale, p.shift);
    const int64_t first = pixels.begin * p.channels;
    if (e.skip != nullptr) e.skip += first;
    if (e.y != nullptr) e.y += first;
    if (e.codes != nullptr) e.codes += first;
    if (pixels.begin < pixels.end)
      plan_.kernels->pointwise(at<float>(step_.x) + first, pixels.end - pixels.begin, p.channels, e);
  }

  void operator()(const MaxPool& p) const {
    const Range rows = share(memory_.images * p.pool.out_h);
    plan_.kernels->max_pool(p.pool, at<float>(step_.x), rows.begin, rows.end, at<float>(step_.y));
  }

  void operator()(const Subsample& s) const {
    const int64_t from_channels = stored_channels(s.in.channels), to_channels = stored_channels(s.out.channels);
    const Range rows = share(memory_.images * s.out.height);
    for (int64_t r = rows.begin; r < rows.end; ++r) {
      const int64_t image = r / s.out.height, row = r % s.out.height;
      const float* from = at<float>(step_.x) + (image * s.in.height + row * s.stride) * s.in.width * from_channels;
      float* to = at<float>(step_.y) + r * s.out.width * to_channels;
      for (int64_t j = 0; j < s.out.width; ++j, from += s.stride * from_channels, to += to_channels) {
        std::fill_n(to, s.extra, 0.0f);
        std::copy_n(from, s.in.channels, to + s.extra);
        std::fill(to + s.extra + s.in.channels, to + to_channels, 0.0f);
      }
    }
  }

  void operator()(const Average& a) const {
    const int64_t pixels = a.in.height * a.in.width, channels = stored_channels(a.in.channels);
    const Range images = share(memory_.images);
    for (int64_t i = images.begin; i < images.end; ++i) {
      plan_.kernels->average(at<float>(step_.x) + i * pixels * channels, pixels, channels,
                             at<float>(step_.y) + i * channels);
    }
  }

  void operator()(const MakeCodes& m) const {
    const Range values = share(memory_.images * m.values);
    bytes_of(m.codes, at<float>(step_.x) + values.begin, values.end - values.begin,
             at<uint8_t>(step_.codes) + values.begin);
  }

  void operator()(const Decode& d) const {
    const Range values = share(memory_.images * d.values);
    const uint8_t* bytes = at<uint8_t>(step_.x);
    float* y = at<float>(step_.y);
    for (int64_t i = values.begin; i < values.end; ++i) y[i] = d.table[bytes[i]];
  }

  void operator()(const NormaliseImage& n) const {
    const int64_t channels = n.image.channels, stored = stored_channels(channels);
    const Range pixels = share(memory_.images * n.image.height * n.image.width);
    const uint8_t* bytes = memory_.bytes + first_value();
    for (int64_t p = pixels.begin; p < pixels.end; ++p) {
      float* to = at<float>(step_.y) + p * stored;
      for (int64_t c = 0; c < channels; ++c) to[c] = n.tables[static_cast<size_t>(c * 256 + bytes[p * channels + c])];
      std::fill(to + channels, to + stored, 0.0f);
    }
  }

  void operator()(const LookUpCodes& l) const {
    const Range pixels = share(memory_.images * l.image.height * l.image.width);
    plan_.kernels->look_up(memory_.bytes + first_value() + pixels.begin * l.image.channels, pixels.end - pixels.begin,
                           l.image.channels, l.tables.data(),
                           at<uint8_t>(step_.codes) + pixels.begin * stored_channels(l.image.channels));
  }

  void operator()(const TakeFloats& t) const {
    const int64_t channels = t.image.channels, stored = stored_channels(channels);
    const Range pixels = share(memory_.images * t.image.height * t.image.width);
    for (int64_t p = pixels.begin; p < pixels.end; ++p) {
      float* to = at<float>(step_.y) + p * stored;
      std::copy_n(memory_.floats + first_value() + p * channels, channels, to);
      std::fill(to + channels, to + stored, 0.0f);
    }
  }

 private:
  struct Range {
    int64_t begin, end;
  };
  Range share(int64_t size) const { return {size * index_ / count_, size * (index_ + 1) / count_}; }

  /// May be empty.
  integer::Part part_of(const integer::ConvShape& shape) const {
    return integer::share_of(integer::whole_work(shape, memory_.images), index_, count_);
  }

  template <class T>
  T* at(int buffer) const {
    return reinterpret_cast<T*>(buffer_of(plan_, memory_, buffer));
  }
  int64_t first_value() const { return memory_.first * plan_.graph.image.size(); }

  integer::Epilogue epilogue(const std::vector<float>& scale, const std::vector<float>& shift) const {
    return {.scale = scale.empty() ? nullptr : scale.data(),
            .shift = shift.empty() ? nullptr : shift.data(),
            .before = step_.before ? &*step_.before : nullptr,
            .skip = step_.skip == kNoBuffer ? nullptr : at<float>(step_.skip),
            .relu = step_.relu,
            .after = step_.after ? &*step_.after : nullptr,
            .y = step_.y == kNoBuffer ? nullptr : at<float>(step_.y),
            .codes = step_.codes == kNoBuffer ? nullptr : at<uint8_t>(step_.codes),
            .grid = step_.grid};
  }

  const Plan& plan_;
  const Step& step_;
  const StepMemory& memory_;
  uint8_t* scratch_;
  int64_t index_, count_;
};

}  // namespace

uint8_t* buffer_of(const Plan& plan, const StepMemory& memory, int buffer) {
  const Buffer& b = plan.buffers[static_cast<size_t>(buffer)];
  const StepMemory::Arena& arena = memory.arenas[b.level];
  return arena.bytes + b.offset * arena.capacity + b.bytes * (memory.first - arena.first);
}

void run_step(const Plan& plan, const Step& step, const StepMemory& memory, uint8_t* scratch, int64_t index,
              int64_t count) {
  std::visit(StepRun(plan, step, memory, scratch, index, count), step.work);
}

}  // namespace ntq::infer
