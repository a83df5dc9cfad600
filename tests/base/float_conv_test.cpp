// Convolutions of floats on every instruction set, against plain loops over std::fma: equal to the bit.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/integer/kernels/kernels.h"
#include "base/integer/pack.h"
#include "base/isa.h"

namespace ntq::integer::test {
namespace {

using Floats = std::vector<float>;

struct FloatCase {
  int64_t images = 1, in_h = 5, in_w = 4, in_c = 8, out_c = 16;
  int64_t kernel = 3, stride = 1, pad = 1;
  int64_t channels = in_c;  ///< that are read; the others hold what is not a number
  bool skip = false, relu = false, shift_by_taps = false;

  ConvShape shape() const {
    return {in_h,
            in_w,
            in_c,
            (in_h + 2 * pad - kernel) / stride + 1,
            (in_w + 2 * pad - kernel) / stride + 1,
            out_c,
            kernel,
            kernel,
            stride,
            pad};
  }
};

class FloatProblem {
 public:
  explicit FloatProblem(const FloatCase& c) : case_(c), shape_(c.shape()) {
    x_ = reals(c.images * c.in_h * c.in_w * c.in_c);
    for (size_t i = 0; i < x_.size(); ++i) {
      if (static_cast<int64_t>(i) % c.in_c >= c.channels) x_[i] = std::numeric_limits<float>::quiet_NaN();
    }
    w_ = reals(c.out_c * c.kernel * c.kernel * c.channels);
    const int64_t width = (c.out_c + kPanel - 1) / kPanel * kPanel;
    scale_ = reals(width);
    shift_ = reals(width * (c.shift_by_taps ? run_count(shape_.rows()) * run_count(shape_.columns()) : 1));
    skip_ = reals(c.images * shape_.out_h * shape_.out_w * c.out_c);
  }

  Floats expected() const {
    Floats y;
    for (int64_t n = 0; n < case_.images; ++n) {
      for (int64_t i = 0; i < shape_.out_h; ++i) {
        for (int64_t j = 0; j < shape_.out_w; ++j) {
          for (int64_t o = 0; o < case_.out_c; ++o) {
            const float scaled = sum(n, i, j, o) * scale_[static_cast<size_t>(o)];
            float v = scaled + shift_[static_cast<size_t>(shift_of(i, j) + o)];
            if (case_.skip) v = v + skip_[y.size()];
            y.push_back(case_.relu && !(v > 0) ? 0 : v);
          }
        }
      }
    }
    return y;
  }

  Floats computed(const Kernels& kernels, int64_t parts) const {
    const AlignedBytes packed = pack_floats(shape_, case_.channels, w_);
    Floats y(skip_.size(), -77.0f);
    FloatConv conv{.shape = shape_,
                   .channels = case_.channels,
                   .x = x_.data(),
                   .weights = reinterpret_cast<const float*>(packed.data()),
                   .shift_by_taps = case_.shift_by_taps};
    conv.epilogue = {.scale = scale_.data(), .shift = shift_.data(), .relu = case_.relu, .y = y.data()};
    if (case_.skip) conv.epilogue.skip = skip_.data();
    for (int64_t i = 0; i < parts; ++i) {
      const Part part = share_of(whole_work(shape_, case_.images), i, parts);
      if (!part.empty()) kernels.float_conv(conv, part);
    }
    return y;
  }

 private:
  Floats reals(int64_t n) {
    std::normal_distribution<float> normal;
    Floats out(static_cast<size_t>(n));
    for (float& v : out) v = normal(random_);
    return out;
  }
  int64_t shift_of(int64_t i, int64_t j) const {
    if (!case_.shift_by_taps) return 0;
    const auto number = [](const Axis& axis, int64_t at) {
      int64_t run = 0;
      for (int64_t next = run_at(axis, 0).end; next <= at; next = run_at(axis, next).end) ++run;
      return run;
    };
    const int64_t run = number(shape_.rows(), i) * run_count(shape_.columns()) + number(shape_.columns(), j);
    return run * static_cast<int64_t>(scale_.size());
  }
  float sum(int64_t n, int64_t i, int64_t j, int64_t o) const {
    float total = 0;
    for (int64_t kh = 0; kh < case_.kernel; ++kh) {
      for (int64_t kw = 0; kw < case_.kernel; ++kw) {
        const int64_t h = i * case_.stride + kh - case_.pad, w = j * case_.stride + kw - case_.pad;
        if (h < 0 || h >= case_.in_h || w < 0 || w >= case_.in_w) continue;
        const float* x = x_.data() + ((n * case_.in_h + h) * case_.in_w + w) * case_.in_c;
        const float* f = w_.data() + ((o * case_.kernel + kh) * case_.kernel + kw) * case_.channels;
        for (int64_t k = 0; k < case_.channels; ++k) total = std::fma(x[k], f[k], total);
      }
    }
    return total;
  }

  FloatCase case_;
  ConvShape shape_;
  std::mt19937 random_{1};
  Floats x_, w_, scale_, shift_, skip_;
};

bool equal_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void check_float_conv(const FloatCase& c) {
  CAPTURE(c.in_h);
  CAPTURE(c.in_w);
  CAPTURE(c.in_c);
  CAPTURE(c.out_c);
  CAPTURE(c.kernel);
  CAPTURE(c.stride);
  CAPTURE(c.pad);
  CAPTURE(c.channels);
  const FloatProblem problem(c);
  const Floats expected = problem.expected();
  for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
    CAPTURE(isa);
    for (const int64_t parts : {1, 3}) CHECK(equal_bits(problem.computed(kernels_of(isa), parts), expected));
  }
}

}  // namespace

TEST_CASE("float convolution: sizes around vectors, panels and tiles") {
  for (const int64_t out_c : {4, 12, 16, 20, 32, 36, 64, 76}) {
    for (const int64_t in_c : {4, 20}) check_float_conv({.in_c = in_c, .out_c = out_c});
  }
  for (int64_t size = 1; size <= 14; ++size)
    check_float_conv({.images = 2, .in_h = size, .in_w = size, .in_c = 4, .out_c = 36});
  check_float_conv({.in_h = 3, .in_w = 300, .in_c = 4, .out_c = 8});
}

TEST_CASE("float convolution: filters, strides, taps outside, channels that fill up") {
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t pad : {int64_t{0}, kernel / 2, kernel}) {
        for (const int64_t channels : {1, 3, 4}) {
          check_float_conv({.images = 2,
                            .in_h = 9,
                            .in_w = 8,
                            .in_c = 4,
                            .out_c = 40,
                            .kernel = kernel,
                            .stride = stride,
                            .pad = pad,
                            .channels = channels});
        }
      }
    }
  }
}

TEST_CASE("float convolution: the epilogue") {
  for (const bool skip : {false, true}) {
    for (const bool relu : {false, true})
      check_float_conv({.images = 2, .out_c = 44, .skip = skip, .relu = relu, .shift_by_taps = skip});
  }
}

TEST_CASE("float convolution: one rounding for a product and its sum, of numbers of all sizes") {
  constexpr int64_t kImages = 4096;
  std::mt19937 random(3);
  const auto number = [&](int lowest, int highest) {  // few bits, so that many sums lie halfway; or all of them
    const auto bits = static_cast<uint32_t>(random());
    const float fraction = static_cast<float>(random() % 2 == 0 ? bits >> 28 : bits >> 8) + 1;
    const int exponent = lowest + static_cast<int>(random() % static_cast<uint32_t>(highest - lowest + 1));
    return std::ldexp(random() % 2 == 0 ? fraction : -fraction, exponent);
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& range : {std::pair{-24, 0}, {-170, -60}, {-20, 100}, {-150, 100}}) {
    const int lowest = range.first, highest = range.second;
    // fma(x[1], w, x[0] * 1): each image has its own numbers, all filters are alike.
    const Floats w = {1, number(lowest, highest)};
    Floats x, expected;
    for (int64_t i = 0; i < kImages; ++i) {
      const float a = i == 5 ? kInfinity : number(lowest, highest);
      // Now and then what lies near the product: its negative, and half of a last bit beside.
      const float near = -a * w[1];
      const float c = i % 3 == 0 ? near : i % 3 == 1 ? near * std::ldexp(1.0f, 24) : number(lowest, highest);
      x.insert(x.end(), {c, a, 0, 0});
      expected.insert(expected.end(), 4, std::fma(a, w[1], std::fma(c, 1.0f, 0.0f)) * 1.0f + 0.0f);
    }
    const ConvShape shape{1, 1, 4, 1, 1, 4, 1, 1};
    const AlignedBytes packed = pack_floats(shape, 2, Floats{w[0], w[1], w[0], w[1], w[0], w[1], w[0], w[1]});
    const Floats scale(kPanel, 1.0f), shift(kPanel, 0.0f);
    for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
      CAPTURE(isa);
      CAPTURE(lowest);
      Floats y(expected.size());
      FloatConv conv{
          .shape = shape, .channels = 2, .x = x.data(), .weights = reinterpret_cast<const float*>(packed.data())};
      conv.epilogue = {.scale = scale.data(), .shift = shift.data(), .y = y.data()};
      kernels_of(isa).float_conv(conv, whole_work(shape, kImages));
      int64_t wrong = 0;
      for (size_t i = 0; i < y.size(); ++i)
        wrong += std::isnan(expected[i]) ? !std::isnan(y[i]) : std::memcmp(&y[i], &expected[i], sizeof(float)) != 0;
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("float convolution: weights of another size are refused") {
  const ConvShape shape = FloatCase{.in_c = 4, .out_c = 8}.shape();
  CHECK_THROWS_WITH_AS(pack_floats(shape, 3, Floats(26)), doctest::Contains("26 floats for 3 of 4 channels to 8"),
                       std::invalid_argument);
  CHECK_THROWS_AS(pack_floats(shape, 5, Floats(45)), std::invalid_argument);
}

}  // namespace ntq::integer::test
