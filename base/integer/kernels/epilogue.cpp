// The float32 end of every sum: single operations in the order of Epilogue.
#include "base/integer/kernels/epilogue.h"

#include "base/integer/kernels/floats.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

/// A grid as vectors. Clamping y is as good as clamping y / step: the quotient of fl(code * step) and step rounds to
/// that code.
struct Grid {
  Floats step, low, high;

  explicit Grid(const CodeGrid& grid, bool relu = false)
      : step(splat_float(grid.step)),
        low(splat_float(lowest(grid, relu))),
        high(splat_float(static_cast<float>(grid.high) * grid.step)) {}

  [[gnu::always_inline]] Ints codes(Floats v) const { return rounded(smaller(larger(v, low), high) / step); }
  [[gnu::always_inline]] Floats values(Floats v) const { return to_floats(codes(v)) * step; }

 private:
  static float lowest(const CodeGrid& grid, bool relu) {
    const float code = static_cast<float>(grid.low) * grid.step;
    return relu && code < 0 ? 0 : code;
  }
};

/// An epilogue with what it needs of its grids. kGrids: it may quantize before and after, and what else it does is
/// decided as it runs, which costs little beside that.
template <bool kSkip, bool kFloats, bool kCodes, bool kGrids = false>
struct End {
  const float* skip;
  float* y;
  uint8_t* codes;
  bool has_before, relu, has_after, has_zero;
  Grid before, after, grid;
  Ints zero;

  explicit End(const Epilogue& e)
      : skip(e.skip),
        y(e.y),
        codes(e.codes),
        has_before(e.before != nullptr),
        relu(e.relu && kFloats),  // codes alone: the grid's lowest value is the ReLU
        has_after(e.after != nullptr),
        has_zero(e.grid.zero != 0),
        before(has_before ? *e.before : CodeGrid()),
        after(has_after ? *e.after : CodeGrid()),
        grid(e.grid, e.relu),
        zero(splat(e.grid.zero)) {}

  /// v at element `at` of the output.
  [[gnu::always_inline]] void whole(Floats v, int64_t at) const {
    if (kGrids && has_before) v = before.values(v);
    if (kSkip && (!kGrids || skip != nullptr)) v += load_floats(skip + at);
    v = stored(v);
    if (kFloats && (!kGrids || y != nullptr)) store_floats(y + at, v);
    if (kCodes && (!kGrids || codes != nullptr)) store_bytes(codes + at, bytes(v));
  }
  /// Its first n lanes.
  [[gnu::always_inline]] void part(Floats v, int64_t at, int64_t n) const {
    if (kGrids && has_before) v = before.values(v);
    if (kSkip && (!kGrids || skip != nullptr)) {
      for (int64_t i = 0; i < n; ++i) v[i] += skip[at + i];
    }
    v = stored(v);
    if (kFloats && (!kGrids || y != nullptr)) {
      for (int64_t i = 0; i < n; ++i) y[at + i] = v[i];
    }
    if (kCodes && (!kGrids || codes != nullptr)) store_bytes(codes + at, bytes(v), n);
  }

 private:
  [[gnu::always_inline]] Floats stored(Floats v) const {
    if (relu) v = larger(v, Floats{});
    return kGrids && has_after ? after.values(v) : v;
  }
  [[gnu::always_inline]] Ints bytes(Floats v) const {
    const Ints codes_of = grid.codes(v);
    return has_zero ? codes_of + zero : codes_of;
  }
};

/// op(End) for what `e` does.
template <bool... kFlags, class Op>
[[gnu::always_inline]] inline void with_end(const Epilogue& e, const Op& op) {
  if constexpr (sizeof...(kFlags) == 3) {
    op(End<kFlags...>(e));
  } else if (sizeof...(kFlags) == 0 && (e.before != nullptr || e.after != nullptr)) {
    op(End<true, true, true, true>(e));
  } else {
    const void* const wanted[] = {e.skip, e.y, e.codes};
    if (wanted[sizeof...(kFlags)] != nullptr) {
      with_end<kFlags..., true>(e, op);
    } else {
      with_end<kFlags..., false>(e, op);
    }
  }
}

/// One vector of channels of all pixels: the first n lanes, if not all. Everything is by value, as bytes that are
/// stored might else be any of it.
template <class AnEnd, class AsFloats>
[[gnu::always_inline]] inline void finish_vector(const AnEnd end, const AsFloats as_floats, Floats scale, Floats shift,
                                                 const int32_t* sums, const int64_t* pixels, int64_t count,
                                                 int64_t pitch, int64_t at, int64_t n) {
  const auto value = [=](int64_t i) { return as_floats(load(sums + i * kPanel), pixels[i]) * scale + shift; };
  if (n >= kInts) {
    for (int64_t i = 0; i < count; ++i) {
      if (pixels[i] >= 0) end.whole(value(i), pixels[i] * pitch + at);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      if (pixels[i] >= 0) end.part(value(i), pixels[i] * pitch + at, n);
    }
  }
}

}  // namespace

void finish(const TileEnd& tile, const int32_t* sums, const int64_t* pixels, int64_t count) {
  const int64_t left = tile.channels - tile.at, n = left < kPanel ? left : kPanel;
  with_end(*tile.e, [&](const auto& end) {
    for (int64_t c = 0; c < n; c += kInts) {
      const int64_t at = tile.at + c;
      const Floats scale = load_floats(tile.scale + at), shift = load_floats(tile.shift + at);
      const auto vector = [&](const auto& as_floats) {
        finish_vector(end, as_floats, scale, shift, sums + c, pixels, count, tile.channels, at, n - c);
      };
      const bool four = tile.sums == SumsAre::four_times, floats = tile.sums == SumsAre::floats;
      const Ints start = tile.start == nullptr || four || floats ? Ints{} : load(tile.start + at);
      if (const int32_t* windows = tile.window_sums; windows != nullptr) {  // counts of halves
        const auto doubled = [windows](Ints sum, int64_t pixel) {
          return to_floats(sum + sum + splat(windows[pixel]));
        };
        if (four) {
          vector([doubled](Ints sum, int64_t pixel) { return doubled(sum >> 2, pixel); });
        } else {
          vector([doubled, start](Ints sum, int64_t pixel) { return doubled(sum + start, pixel); });
        }
      } else if (four) {
        vector([](Ints sum, int64_t) { return to_floats(sum >> 2); });
      } else if (floats) {
        vector([](Ints sum, int64_t) { return reinterpret_cast<Floats>(sum); });
      } else if (tile.start == nullptr) {
        vector([](Ints sum, int64_t) { return to_floats(sum); });
      } else {
        vector([start](Ints sum, int64_t) { return to_floats(sum + start); });
      }
    }
  });
}

void pointwise(const float* x, int64_t pixels, int64_t channels, const Epilogue& e) {
  if (e.scale == nullptr) channels *= pixels, pixels = 1;  // nothing differs from channel to channel
  const auto value = [&](const float* v, const float* scale, const float* shift, int64_t c) {
    return scale == nullptr ? load_floats(v) : load_floats(v) * load_floats(scale + c) + load_floats(shift + c);
  };
  with_end(e, [&](const auto& end) {
    for (int64_t i = 0; i < pixels; ++i) {
      int64_t at = i * channels, c = 0;
      for (; c + kInts <= channels; c += kInts, at += kInts) end.whole(value(x + at, e.scale, e.shift, c), at);
      if (c == channels) continue;
      float rest[3][kInts] = {};
      for (int64_t k = c; k < channels; ++k) {
        rest[0][k - c] = x[i * channels + k];
        if (e.scale != nullptr) rest[1][k - c] = e.scale[k], rest[2][k - c] = e.shift[k];
      }
      end.part(value(rest[0], e.scale == nullptr ? nullptr : rest[1], rest[2], 0), at, channels - c);
    }
  });
}

}  // namespace ntq::integer::NTQ_ISA
