#include "base/integer/pack.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>

#include "base/ceil_div.h"
#include "base/check.h"
#include "base/integer/tight.h"
#include "base/integer/winograd.h"

namespace ntq::integer {
namespace {

constexpr std::align_val_t kLine{64};

int64_t panels(const ConvShape& s) { return ceil_div(s.out_c, kPanel); }

void check_codes(const ConvShape& s, const CodeBounds& bounds, std::span<const int8_t> codes) {
  const int64_t count = s.out_c * s.kernel_h * s.kernel_w * s.in_c;
  check(s.in_c % kQuad == 0 && s.out_c % kQuad == 0, "packed weights have whole quads of channels; found ", s.in_c,
        " to ", s.out_c);
  check(static_cast<int64_t>(codes.size()) == count, "weights to pack: expected ", count, " codes, found ",
        codes.size());
  check(sums_fit(s, bounds), "sums of ", s.kernel_h * s.kernel_w * s.in_c, " products of codes up to ", bounds.x_top,
        " and ", bounds.w_top, " exceed int32");
  int32_t top = 0;
  for (const int8_t w : codes) top = std::max(top, std::abs(int32_t{w}));
  check(top <= bounds.w_top, "weights to pack exceed their bound, ", bounds.w_top);
}

}  // namespace

AlignedBytes::AlignedBytes(size_t size)
    : bytes_(size == 0 ? nullptr : static_cast<uint8_t*>(operator new(size, kLine))), size_(size) {
  std::fill_n(bytes_.get(), size, uint8_t{0});
}
void AlignedBytes::Free::operator()(uint8_t* bytes) const { operator delete(bytes, kLine); }

bool uses_winograd(const ConvShape& s, const CodeBounds& bounds) {
  // The longest sum of its own, of transformed bytes and weights, is 186 * 72 * in_c.
  constexpr int64_t kMostChannels = 16384;
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride == 1 && s.pad <= 1 && s.in_c >= 16 && s.in_c % 16 == 0 &&
         s.in_c <= kMostChannels && s.out_c >= 16 && bounds.x_top <= 31 && bounds.w_top <= 8;
}

bool prefers_direct(const ConvShape& s, int64_t pixels) {
  constexpr int64_t kFewPixels = 64, kCached = int64_t{2} << 20;
  return pixels <= kFewPixels && 16 * s.in_c * s.out_c >= kCached;
}

bool uses_tight(const ConvShape& s, std::span<const int8_t> codes) {
  constexpr int64_t kMostTaps = 32;  // in a row: borders are no larger, so the copy is not much larger than the image
  if (s.in_c != kQuad || s.kernel_w > kMostTaps || s.pad >= s.kernel_w || tight_quads(s) >= s.kernel_w) return false;
  for (size_t i = kTightChannels; i < codes.size(); i += kQuad) {
    if (codes[i] != 0) return false;
  }
  return true;
}

bool sums_fit(const ConvShape& s, const CodeBounds& bounds) {
  const int64_t largest = int64_t{bounds.x_top} * bounds.w_top;
  return s.kernel_h * s.kernel_w * s.in_c <= INT32_MAX / std::max<int64_t>(largest, 1);
}

PackedWeights pack(const ConvShape& shape, const CodeBounds& bounds, std::span<const int8_t> codes, bool by_taps) {
  if (uses_winograd(shape, bounds)) return pack_winograd(shape, bounds, codes);
  return !by_taps && uses_tight(shape, codes) ? pack_tight(shape, bounds, codes) : pack_direct(shape, bounds, codes);
}

std::vector<TapRun> runs_of(const Axis& axis) {
  std::vector<TapRun> runs;
  for (int64_t at = 0; at < axis.out; at = runs.back().end) runs.push_back(run_at(axis, at));
  return runs;
}

// Of the taps before each tap in both directions first, so that large kernels, which have many sets, take no longer
// than their weights. Differences wrap around to sums that fit.
std::vector<int32_t> sums_inside(const ConvShape& s, std::span<const int8_t> codes, int64_t out_channels,
                                 int64_t channels) {
  const int64_t taps = s.kernel_h * s.kernel_w, width = panels(s) * kPanel, pitch = (s.kernel_w + 1) * kPanel;
  const std::vector<TapRun> rows = runs_of(s.rows()), columns = runs_of(s.columns());
  std::vector<int32_t> out(rows.size() * columns.size() * static_cast<size_t>(width));
  std::vector<uint32_t> before(static_cast<size_t>((s.kernel_h + 1) * pitch));  // {kernel_h + 1, kernel_w + 1, kPanel}
  for (int64_t panel = 0; panel < width; panel += kPanel) {
    const int64_t there = std::clamp<int64_t>(out_channels - panel, 0, kPanel);
    if (there < kPanel) std::fill(before.begin(), before.end(), 0u);
    for (int64_t o = 0; o < there; ++o) {
      const int8_t* w = codes.data() + (panel + o) * taps * channels;
      for (int64_t kh = 0; kh < s.kernel_h; ++kh) {
        uint32_t row = 0;
        uint32_t* above = before.data() + kh * pitch + kPanel + o;
        for (int64_t kw = 0; kw < s.kernel_w; ++kw, w += channels, above += kPanel) {
          row += static_cast<uint32_t>(std::accumulate(w, w + channels, 0));
          above[pitch] = above[0] + row;
        }
      }
    }
    int32_t* to = out.data() + panel;
    for (const TapRun& row : rows) {
      const uint32_t *top = before.data() + row.first * pitch, *bottom = before.data() + row.last * pitch;
      for (const TapRun& column : columns) {
        const int64_t left = column.first * kPanel, right = column.last * kPanel;
        for (int64_t o = 0; o < kPanel; ++o) {
          to[o] = static_cast<int32_t>(bottom[right + o] - bottom[left + o] - top[right + o] + top[left + o]);
        }
        to += width;
      }
    }
  }
  return out;
}

size_t direct_bytes(const ConvShape& s) {
  return static_cast<size_t>(panels(s) * kPanel * s.kernel_h * s.kernel_w * s.in_c);
}

void pack_direct_panel(const ConvShape& s, const int8_t* codes, int64_t panel, uint8_t* weights) {
  const int64_t size = s.kernel_h * s.kernel_w * s.in_c, first = panel * kPanel;
  const int64_t there = std::min(kPanel, s.out_c - first);
  uint8_t* const to = weights + first * size;
  if (there < kPanel) std::fill_n(to, kPanel * size, uint8_t{0});
  for (int64_t o = 0; o < there; ++o) {
    const int8_t* const w = codes + (first + o) * size;
    for (int64_t k = 0; k < size; k += kQuad) std::memcpy(to + k * kPanel + o * kQuad, w + k, kQuad);
  }
}

PackedWeights pack_direct(const ConvShape& s, const CodeBounds& bounds, std::span<const int8_t> codes) {
  check_codes(s, bounds, codes);
  PackedWeights out;
  out.weights = AlignedBytes(direct_bytes(s));
  for (int64_t panel = 0; panel < panels(s); ++panel) pack_direct_panel(s, codes.data(), panel, out.weights.data());
  if (bounds.zero == 0) return out;
  out.start = sums_inside(s, codes, s.out_c, s.in_c);
  for (int32_t& start : out.start) start *= -bounds.zero;
  return out;
}

// All taps of all pixels are inside the copy, so that there is one start for all.
PackedWeights pack_tight(const ConvShape& s, const CodeBounds& bounds, std::span<const int8_t> codes) {
  check_codes(s, bounds, codes);
  check(uses_tight(s, codes), "no tight sums for a convolution of this shape and these codes");
  const int64_t row = tight_quads(s) * kQuad, rows = s.kernel_h;
  PackedWeights out;
  out.tight = true;
  out.weights = AlignedBytes(static_cast<size_t>(panels(s) * kPanel * rows * row));
  out.start.resize(static_cast<size_t>(panels(s) * kPanel));
  const int8_t* w = codes.data();
  for (int64_t o = 0; o < s.out_c; ++o) {
    uint8_t* panel = out.weights.data() + o / kPanel * kPanel * rows * row + o % kPanel * kQuad;
    int32_t sum = 0;
    for (int64_t kh = 0; kh < rows; ++kh) {
      for (int64_t kw = 0; kw < s.kernel_w; ++kw, w += kQuad) {
        for (int64_t c = 0; c < kTightChannels; ++c) {
          const int64_t at = kh * row + kw * kTightChannels + c;
          panel[at / kQuad * kQuad * kPanel + at % kQuad] = static_cast<uint8_t>(w[c]);
          sum += w[c];
        }
      }
    }
    out.start[static_cast<size_t>(o)] = -bounds.zero * sum;
  }
  return out;
}

PackedWeights pack_winograd(const ConvShape& s, const CodeBounds& bounds, std::span<const int8_t> codes) {
  check_codes(s, bounds, codes);
  check(uses_winograd(s, bounds), "no integer Winograd for a convolution of this shape and these codes");
  PackedWeights out;
  out.winograd = true;
  out.weights = AlignedBytes(winograd_bytes(s));
  out.start.resize(static_cast<size_t>(panels(s) * 4 * kPanel));
  for (int64_t panel = 0; panel < panels(s); ++panel)
    pack_winograd_panel(s, bounds, codes.data(), panel, out.weights.data(), out.start.data());
  return out;
}

AlignedBytes pack_floats(const ConvShape& s, int64_t channels, std::span<const float> weights) {
  const int64_t depth = s.kernel_h * s.kernel_w * channels, count = static_cast<int64_t>(weights.size());
  check(channels >= 1 && channels <= s.in_c && count % depth == 0 && count <= s.out_c * depth,
        "weights to pack: found ", count, " floats for ", channels, " of ", s.in_c, " channels to ", s.out_c);
  AlignedBytes out(static_cast<size_t>(panels(s) * kPanel * depth) * sizeof(float));
  for (int64_t o = 0; o * depth < count; ++o) {
    const float* from = weights.data() + o * depth;
    uint8_t* to = out.data() + (o / kPanel * kPanel * depth + o % kPanel) * static_cast<int64_t>(sizeof(float));
    for (int64_t k = 0; k < depth; ++k, to += kPanel * sizeof(float)) std::memcpy(to, from + k, sizeof(float));
  }
  return out;
}

size_t winograd_scratch(const ConvShape& s) {
  const int64_t rows = winograd_block(s.in_c) * 16;
  return static_cast<size_t>(round_up(s.in_c, 64) + rows * s.in_c);
}

size_t tight_scratch(const ConvShape& s) { return static_cast<size_t>(tight_bytes(s)); }

size_t window_scratch(const ConvShape& s) { return static_cast<size_t>((s.kernel_h + 1) * s.in_w + 2 * s.pad); }

Part whole_work(const ConvShape& s, int64_t images) { return {0, images, 0, s.out_h, 0, panels(s)}; }

Part share_of(const Part& work, int64_t index, int64_t count) {
  const int64_t images = work.image_end - work.image_begin, rows = work.row_end - work.row_begin;
  const int64_t pairs = ceil_div(rows, 2), panels = work.panel_end - work.panel_begin;
  const auto largest = [count](int64_t n) {
    return static_cast<double>(ceil_div(n, count)) / static_cast<double>(std::max<int64_t>(n, 1));
  };
  const double least = std::min({largest(images), largest(pairs), largest(panels)});
  const auto cut = [&](int64_t n, int64_t unit, int64_t& begin, int64_t& end) {
    const int64_t from = begin, size = ceil_div(n, count) * unit;
    begin = std::min(from + index * size, end);
    end = std::min(begin + size, end);
  };
  Part part = work;
  if (largest(images) == least) {
    cut(images, 1, part.image_begin, part.image_end);
  } else if (largest(pairs) == least) {
    cut(pairs, 2, part.row_begin, part.row_end);
  } else {
    cut(panels, 1, part.panel_begin, part.panel_end);
  }
  return part;
}

}  // namespace ntq::integer
