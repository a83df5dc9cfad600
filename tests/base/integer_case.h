#pragma once
// A convolution of codes with its inputs, and what it has to give: plain loops in int64, which share nothing with the
// kernels.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "base/integer/kernels/kernels.h"
#include "base/integer/pack.h"

namespace ntq::integer::test {

/// Anything; the lowest or the highest; or what makes the longest sums: the highest of x, the lowest of w.
enum class Fill { random, extremes, longest };

struct Case {
  int64_t images = 1, in_h, in_w, in_c, out_c;
  int64_t kernel = 3, stride = 1, pad = 1;
  CodeBounds bounds = {.zero = 0, .x_top = 255, .w_top = 128};
  Fill fill = Fill::random;
  int64_t filled = 0;  ///< of in_c, those that only fill up: their weights are 0
  int32_t halves = 0;  ///< other than 0: a weight counts 2 w + halves
  bool skip = false, relu = false, shift_by_taps = false;
  bool in_place = false;             ///< the skip is where y goes
  bool floats = true, codes = true;  ///< stored
  CodeGrid grid = {};

  int64_t out_h() const { return (in_h + 2 * pad - kernel) / stride + 1; }
  int64_t out_w() const { return (in_w + 2 * pad - kernel) / stride + 1; }
  ConvShape shape() const {
    return {.in_h = in_h,
            .in_w = in_w,
            .in_c = in_c,
            .out_h = out_h(),
            .out_w = out_w(),
            .out_c = out_c,
            .kernel_h = kernel,
            .kernel_w = kernel,
            .stride = stride,
            .pad = pad};
  }
};

/// Which kernel.
enum class Way { direct, tight, winograd };

struct Outputs {
  std::vector<float> y;
  std::vector<uint8_t> codes;
};

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// The code's byte, from the definition: the division, the rounding and the bounds in this order.
inline uint8_t byte_of(float v, const CodeGrid& g) {
  if (std::isnan(v)) return static_cast<uint8_t>(g.low + g.zero);
  const float code = std::nearbyint(v / g.step);
  const float low = static_cast<float>(g.low), high = static_cast<float>(g.high);
  return static_cast<uint8_t>(static_cast<int>(code < low ? low : code > high ? high : code) + g.zero);
}

class Problem {
 public:
  explicit Problem(const Case& c, uint32_t seed = 1) : case_(c), random_(seed) {
    const size_t pixels = static_cast<size_t>(c.images * c.in_h * c.in_w);
    fill(x_, pixels * static_cast<size_t>(c.in_c), 0, c.bounds.x_top, c.bounds.x_top);
    fill(w_, static_cast<size_t>(c.out_c * c.kernel * c.kernel * c.in_c), -c.bounds.w_top,
         c.bounds.w_top < 128 ? c.bounds.w_top : 127, -c.bounds.w_top);
    for (size_t i = 0; i < w_.size(); ++i) {
      if (static_cast<int64_t>(i) % c.in_c >= c.in_c - c.filled) w_[i] = 0;
    }
    const ConvShape s = c.shape();
    const int64_t classes = c.shift_by_taps ? run_count(s.rows()) * run_count(s.columns()) : 1;
    const auto width = static_cast<size_t>((c.out_c + kPanel - 1) / kPanel * kPanel);
    scale_.resize(width);
    shift_.resize(width * static_cast<size_t>(classes));
    for (float& v : scale_) v = real(-0.02f, 0.05f);
    for (float& v : shift_) v = real(-3, 3);
    skip_.resize(static_cast<size_t>(c.images * s.out_h * s.out_w * c.out_c));
    for (float& v : skip_) v = real(-4, 4);
  }

  Outputs expected() const {
    const Case& c = case_;
    const ConvShape s = c.shape();
    const Axis rows = s.rows(), columns = s.columns();
    const int64_t width = (c.out_c + kPanel - 1) / kPanel * kPanel, column_runs = run_count(columns);
    Outputs out;
    for (int64_t n = 0; n < c.images; ++n) {
      for (int64_t i = 0; i < s.out_h; ++i) {
        for (int64_t j = 0; j < s.out_w; ++j) {
          const int64_t number = c.shift_by_taps ? run_of(rows, i) * column_runs + run_of(columns, j) : 0;
          for (int64_t o = 0; o < c.out_c; ++o) {
            float v = static_cast<float>(sum(n, i, j, o)) * scale_[static_cast<size_t>(o)];
            v = v + shift_[static_cast<size_t>(number * width + o)];
            if (c.skip) v = v + skip_[out.y.size()];
            if (c.relu) v = v > 0 ? v : 0;
            out.y.push_back(v);
            out.codes.push_back(byte_of(v, c.grid));
          }
        }
      }
    }
    return out;
  }

  /// In `parts` calls.
  Outputs computed(const Kernels& kernels, Way way, int64_t parts = 1) const {
    const Case& c = case_;
    const ConvShape s = c.shape();
    const auto pack_by = way == Way::direct ? pack_direct : way == Way::tight ? pack_tight : pack_winograd;
    const PackedWeights packed = pack_by(s, c.bounds, w_);
    Outputs out{std::vector<float>(skip_.size(), -77.0f), std::vector<uint8_t>(skip_.size(), 77)};
    if (c.in_place) out.y = skip_;
    Conv conv{.shape = s,
              .x = x_.data(),
              .weights = reinterpret_cast<const int8_t*>(packed.weights.data()),
              .start = packed.start.empty() ? nullptr : packed.start.data(),
              .zero = c.bounds.zero,
              .x_top = c.bounds.x_top,
              .w_top = c.bounds.w_top,
              .shift_by_taps = c.shift_by_taps};
    conv.epilogue = {.scale = scale_.data(),
                     .shift = shift_.data(),
                     .skip = !c.skip      ? nullptr
                             : c.in_place ? out.y.data()
                                          : skip_.data(),
                     .relu = c.relu,
                     .y = c.floats ? out.y.data() : nullptr,
                     .codes = c.codes ? out.codes.data() : nullptr,
                     .grid = c.grid};
    std::vector<int32_t> windows(static_cast<size_t>(c.images * s.out_h * s.out_w), -77);
    std::vector<int32_t> rows(window_scratch(s));
    const int64_t all_rows = c.images * s.out_h;
    for (int64_t p = 0; c.halves != 0 && p < parts; ++p) {
      kernels.window_sums({s, c.in_c - c.filled, x_.data(), c.bounds.zero, c.halves, windows.data()},
                          all_rows * p / parts, all_rows * (p + 1) / parts, rows.data());
    }
    if (c.halves != 0) conv.window_sums = windows.data();
    const AlignedBytes scratch(way == Way::direct ? 0 : way == Way::tight ? tight_scratch(s) : winograd_scratch(s));
    for (int64_t i = 0; i < parts; ++i) {
      const Part part = share_of(whole_work(s, c.images), i, parts);
      if (part.empty()) continue;
      switch (way) {
        case Way::direct: kernels.conv(conv, part); break;
        case Way::tight: kernels.tight(conv, part, scratch.data()); break;
        case Way::winograd: kernels.winograd(conv, part, scratch.data()); break;
      }
    }
    return out;
  }

 private:
  static int64_t run_of(const Axis& a, int64_t at) {
    int64_t number = 0;
    for (int64_t i = 1; i <= at; ++i)
      number += first_tap(a, i) != first_tap(a, i - 1) || last_tap(a, i) != last_tap(a, i - 1);
    return number;
  }
  int64_t sum(int64_t n, int64_t i, int64_t j, int64_t o) const {
    const Case& c = case_;
    int64_t total = 0;
    for (int64_t kh = 0; kh < c.kernel; ++kh) {
      for (int64_t kw = 0; kw < c.kernel; ++kw) {
        const int64_t h = i * c.stride + kh - c.pad, w = j * c.stride + kw - c.pad;
        if (h < 0 || h >= c.in_h || w < 0 || w >= c.in_w) continue;
        const uint8_t* x = x_.data() + ((n * c.in_h + h) * c.in_w + w) * c.in_c;
        const int8_t* f = w_.data() + ((o * c.kernel + kh) * c.kernel + kw) * c.in_c;
        for (int64_t k = 0; k < c.in_c - c.filled; ++k)
          total += (int64_t{x[k]} - c.bounds.zero) * (c.halves == 0 ? f[k] : 2 * f[k] + c.halves);
      }
    }
    return total;
  }
  template <class T>
  void fill(std::vector<T>& values, size_t count, int low, int high, int longest) {
    std::uniform_int_distribution<int> any(low, high), coin(0, 1);
    values.resize(count);
    for (T& v : values) {
      switch (case_.fill) {
        case Fill::random: v = static_cast<T>(any(random_)); break;
        case Fill::extremes: v = static_cast<T>(coin(random_) == 0 ? low : high); break;
        case Fill::longest: v = static_cast<T>(longest); break;
      }
    }
  }
  float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }

  Case case_;
  std::mt19937 random_;
  std::vector<uint8_t> x_;
  std::vector<int8_t> w_;
  std::vector<float> scale_, shift_, skip_;
};

}  // namespace ntq::integer::test
