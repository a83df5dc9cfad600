#include "train/layer_report.h"

#include <doctest/doctest.h>

#include "tests/train/small.h"

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
