#include "layers/init.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "layers/conv2d.h"
#include "layers/linear.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::same_values;

namespace {

struct Moments {
  double mean = 0, variance = 0, kurtosis = 0;
};

Moments moments(const Tensor& x) {
  Moments m;
  const auto values = x.to_vector();
  const auto n = static_cast<double>(values.size());
  for (const float v : values) m.mean += static_cast<double>(v) / n;
  for (const float v : values) m.variance += std::pow(static_cast<double>(v) - m.mean, 2) / n;
  for (const float v : values)
    m.kurtosis += std::pow((static_cast<double>(v) - m.mean), 4) / n / m.variance / m.variance;
  return m;
}

float largest(const Tensor& x) {
  float most = 0;
  for (const float v : x.to_vector()) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace

TEST_CASE("normal values have the moments of the normal distribution") {
  constexpr double n = 100000;
  const auto m = moments(normal_values({100000}, 2.0, {.seed = 1}));
  CHECK(std::abs(m.mean) < 5 * 2 / std::sqrt(n));
  CHECK(std::abs(m.variance / 4 - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(m.kurtosis - 3) < 5 * std::sqrt(24 / n));
}

TEST_CASE("uniform values stay inside the bound and fill it") {
  const Tensor x = uniform_values({100000}, 0.5, {.seed = 1});
  CHECK(largest(x) <= 0.5f);
  const auto m = moments(x);
  CHECK(std::abs(m.mean) < 0.005);
  CHECK(m.variance == doctest::Approx(1.0 / 12).epsilon(0.01));
}

TEST_CASE("a prefix of a longer draw is the shorter draw") {
  const RandomKey key{.seed = 3, .stream = 4};
  CHECK(same_values(normal_values({10}, 1, key).rows(0, 7), normal_values({7}, 1, key)));
}

TEST_CASE("filters: He normal, fan out; they depend on the seed and the name alone") {
  const auto conv = [](uint64_t seed, const std::string& name) {
    return Conv2d({.in_channels = 20, .out_channels = 50, .seed = seed, .name = name}).weight();
  };
  CHECK(moments(conv(1, "a")).variance == doctest::Approx(2.0 / (50 * 9)).epsilon(0.06));
  CHECK(same_values(conv(1, "a"), conv(1, "a")));
  CHECK_FALSE(same_values(conv(1, "a"), conv(2, "a")));
  CHECK_FALSE(same_values(conv(1, "a"), conv(1, "b")));
  CHECK_THROWS_AS(he_normal_filters({3, 3}, {}), std::invalid_argument);
}

TEST_CASE("linear weights and bias: uniform within 1 / sqrt(in), from streams of their own") {
  Linear linear({.in_features = 25, .out_features = 25, .name = "fc"});
  const Tensor bias = linear.named_parameters()[1].second;
  CHECK(largest(linear.weight()) <= 0.2f);
  CHECK(largest(bias) <= 0.2f);
  CHECK(moments(linear.weight()).variance == doctest::Approx(0.04 / 3).epsilon(0.1));
  CHECK_FALSE(same_values(bias, linear.weight().rows(0, 1).view({25})));
}

TEST_CASE("layers without a name start differently, and so do their quantizers' noises") {
  constexpr uint64_t kSeed = 0x1a7e5;  // of no other case
  Conv2dOptions options{.in_channels = 8, .out_channels = 8, .seed = kSeed};
  options.weight_quant = {.method = "ntq", .bits = 4, .seed = kSeed};
  Conv2d a(options), b(options);
  Linear c({.in_features = 8, .out_features = 8, .seed = kSeed}),
      d({.in_features = 8, .out_features = 8, .seed = kSeed});
  int equal = 0;
  for (int64_t i = 0; i < a.weight().numel(); ++i) equal += a.weight().f32()[i] == b.weight().f32()[i];
  CHECK(equal == 0);
  CHECK_FALSE(same_values(c.weight(), d.weight()));
  CHECK_FALSE(same_values(c.named_parameters()[1].second, d.named_parameters()[1].second));

  const Tensor w = a.weight();
  CHECK_FALSE(same_values(a.weight_quantizer()->forward(w), b.weight_quantizer()->forward(w)));

  // The first draws as it always did; the second draws under a name that is the same in every run of this program.
  const Shape filters{8, 3, 3, 8};
  CHECK(same_values(a.weight(), he_normal_filters(filters, init_key(kSeed, ".weight"))));
  CHECK(same_values(b.weight(), he_normal_filters(filters, init_key(kSeed, "(layer 2 without a name).weight"))));
}

TEST_CASE("a name decides alone, whatever was made before") {
  const Conv2dOptions named{.in_channels = 8, .out_channels = 8, .name = "conv1"};
  const Conv2d before(named);
  const Conv2d unnamed({.in_channels = 8, .out_channels = 8});
  CHECK(same_values(before.weight(), Conv2d(named).weight()));
}
