#include "train/layer_report.h"

#include <doctest/doctest.h>

#include "quant/method.h"
#include "tests/train/small.h"
#include "train/weight_figures.h"

using namespace ntq;
using ntq::test::Small;
using ntq::test::state_of;

TEST_CASE("the layer report measures and changes nothing") {
  Small model(2);
  CHECK(report_layers(model)[0].weight_step == 0);
  model(Tensor::full({1, 4, 4, 2}, 1.0f));
  state_of(model, "first.weight").fill(0.3f);
  state_of(model, "first.weight_quant.step").fill(1.0f);
  const auto calls = [&] { return model.named_buffers()[0].second.data<int64_t>()[0]; };
  const int64_t before = calls();
  const auto layers = report_layers(model);
  CHECK(calls() == before);
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].name == "first");
  CHECK(layers[0].weight_bits == 2);
  CHECK(layers[0].method == "ntq");
  CHECK(layers[0].input_method == "ntq");
  CHECK(layers[2].input_method == "");
  CHECK(layers[0].weight_step == 1.0);
  CHECK(layers[0].weight_error == doctest::Approx(0.3));
  CHECK(layers[0].weight_max == doctest::Approx(0.3));
  CHECK(layers[2].weight_bits == 32);
}

TEST_CASE("the step of a table of levels is their mean distance, the channels' mean") {
  QuantSpec spec{.method = "ewgs", .bits = 2};
  const auto even = make_quantizer(spec);
  CHECK_FALSE(mean_step(*even));  // nothing has set it yet
  (*even)(Tensor::from({2}, {0.5f, -0.5f}));
  state_of(*even, "scale").fill(0.6f);  // levels -0.6, -0.2, 0.2, 0.6
  CHECK(mean_step(*even).item() == doctest::Approx(0.4));
  spec.method = "lq-nets";
  spec.shape = {2, 3};
  const auto two = make_quantizer(spec);
  Tensor basis = state_of(*two, "basis");
  REQUIRE(basis.numel() == 4);
  basis.copy_from(Tensor::from(basis.shape(), {1.0f, 2.0f, 0.5f, 2.0f}));  // -3, -1, 1, 3; -2.5, -1.5, 1.5, 2.5
  CHECK(mean_step(*two).item() == doctest::Approx((2 + 5.0 / 3) / 2));
}
