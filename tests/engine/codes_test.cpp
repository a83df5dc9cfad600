#include "engine/ops/codes.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/conv.h"
#include "engine/ops/linear.h"
#include "engine/ops/quantize.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;
using ntq::test::same_values;
using ntq::test::some_values;

namespace {

Tensor bytes(const Shape& shape, const std::vector<int8_t>& values) {
  return Tensor::from(shape, std::span<const int8_t>(values));
}

}  // namespace

TEST_CASE("decode: one step, a step per channel, an offset, a table of levels") {
  const Tensor codes = bytes({2, 3}, {-2, -1, 0, 1, 1, -2});
  const QuantRange range{-2, 1};
  const auto values = [&](CodeGrid grid) {
    grid.range = range;
    return decode({codes, grid}).to_vector();
  };
  CHECK(values({.range = {}, .step = Tensor::full({1}, 0.5f)}) == std::vector<float>{-1, -.5f, 0, .5f, .5f, -1});
  CHECK(values({.range = {}, .step = Tensor::from({2}, {1, 2})}) == std::vector<float>{-2, -1, 0, 2, 2, -4});
  CHECK(values({.range = {}, .step = Tensor::full({1}, 1), .offset = Tensor::full({1}, 3)}) ==
        std::vector<float>{1, 2, 3, 4, 4, 1});
  CHECK(values({.range = {}, .levels = Tensor::from({4}, {-5, -1, 0, 7})}) == std::vector<float>{-5, -1, 0, 7, 7, -5});
  CHECK(values({.range = {}, .levels = Tensor::from({2, 4}, {0, 1, 2, 3, 4, 5, 6, 7})}) ==
        std::vector<float>{0, 1, 2, 7, 7, 4});
}

TEST_CASE("decode refuses grids that do not fit, and those that are not finite") {
  const Tensor codes = bytes({2, 2}, {0, 1, -1, -2});
  const auto refused = [&](const CodeGrid& grid, const char* message) {
    CHECK_THROWS_WITH_AS(decode({codes, grid}), Contains(message), std::invalid_argument);
  };
  const QuantRange range{-2, 1};
  refused({.range = range}, "either steps or a table");
  refused({.range = range, .step = Tensor::full({1}, 1), .levels = Tensor::full({4}, 1)}, "either steps or a table");
  refused({.range = range, .step = Tensor::full({3}, 1)}, "one for each of 2 channels");
  refused({.range = range, .levels = Tensor::full({3}, 1)}, "expected 4 levels");
  refused({.range = {0, 1}, .levels = Tensor::full({2}, 1)}, "code -1 at element 2 has no level");
  CHECK_THROWS_WITH_AS(decode({Tensor::zeros({2}), {.range = range, .step = Tensor::full({1}, 1)}}),
                       Contains("codes of one byte"), std::invalid_argument);
  for (const float bad : {0.0f, -1.0f, INFINITY, std::nanf("")}) {
    CHECK_THROWS_AS(decode({codes, {.range = range, .step = Tensor::full({1}, bad)}}), DivergedError);
  }
}

TEST_CASE("quantize with a step per channel is each channel alone, values, noise, codes and gradients") {
  const int64_t channels = 3, run = 130;
  const std::vector<float> values = some_values({channels, run}).to_vector();
  const Tensor steps = Tensor::from({channels}, {0.05f, 0.11f, 0.3f}).set_requires_grad(true);
  for (const float c : {0.0f, 0.2f}) {
    const QuantizeArgs args{
        .range = {-4, 3}, .grad_scale = 0.3f, .noise = {.c = c, .k = 5, .key = {.seed = 1, .stream = 2, .step = 3}}};
    const Tensor x = Tensor::from({channels, run}, std::span<const float>(values)).set_requires_grad(true);
    const Tensor y = quantize(x, steps, args), codes = quantize_codes(x, steps, args.range);
    // dy by place, so that the rows below see their own.
    const Tensor weight = some_values({channels, run}, 9);
    sum(mul(y, weight)).backward();
    for (int64_t i = 0; i < channels; ++i) {
      // The whole tensor with that channel's step: its rows are the channel's, with the draws of their elements.
      const Tensor all = Tensor::from({channels, run}, std::span<const float>(values)).set_requires_grad(true);
      const Tensor step = Tensor::full({1}, steps.f32()[i]).set_requires_grad(true);
      const Tensor alone = quantize(all, step, args);
      CHECK(same_values(y.rows(i, i + 1), alone.rows(i, i + 1)));
      const Tensor mask = Tensor::zeros({channels, run});
      for (int64_t j = 0; j < run; ++j) mask.f32()[i * run + j] = weight.f32()[i * run + j];
      sum(mul(alone, mask)).backward();
      CHECK(same_values(x.grad().rows(i, i + 1), all.grad().rows(i, i + 1)));
      CHECK(steps.grad().f32()[i] == doctest::Approx(step.grad().item()));
      const Tensor same = quantize_codes(all, step, args.range);
      for (int64_t j = i * run; j < (i + 1) * run; ++j) REQUIRE(codes.data<int8_t>()[j] == same.data<int8_t>()[j]);
    }
    steps.detach();
    Tensor(steps).zero_grad();
  }
  CHECK_THROWS_WITH_AS(quantize(Tensor::zeros({4, 2}), Tensor::full({3}, 1), {.range = {-4, 3}}),
                       Contains("one for each slice of the first axis of {4,2}, found {3}"), std::invalid_argument);
}

TEST_CASE("conv2d and linear of codes are those of the decoded values, to the bit, with the weight's gradient") {
  const Tensor images = quantize_codes(some_values({2, 5, 5, 3}), Tensor::full({1}, 0.1f), {-8, 7});
  const Codes codes{images, {.range = {-8, 7}, .step = Tensor::full({1}, 0.1f)}};
  std::vector<Tensor> results[2];
  for (size_t i = 0; i < 2; ++i) {
    const LayerInput input = i == 0 ? LayerInput(codes) : LayerInput(decode(codes));
    CHECK(input.is_codes() == (i == 0));
    const Tensor w = some_values({4, 3, 3, 3}).clone().set_requires_grad(true);
    const Tensor y = conv2d(input, w, {.padding = 1});
    test::probe_loss(y).backward();
    results[i] = {y, w.grad()};
  }
  for (size_t k = 0; k < 2; ++k) CHECK(same_values(results[0][k], results[1][k]));
  const Codes rows{images.view({2, 75}), codes.grid};
  const Tensor w = some_values({4, 75});
  CHECK(same_values(linear(rows, w), linear(decode(rows), w)));
}
