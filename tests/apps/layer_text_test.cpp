#include "apps/layer_text.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace ntq;
using namespace ntq::apps;

TEST_CASE("neighbours of equal bits are told together") {
  LayerReport quantized, full;
  quantized.method = quantized.input_method = "ntq";
  quantized.weight_bits = quantized.input_bits = 2;
  full.name = "fc";
  CHECK(bits_summary({quantized, quantized, full}) == "2 between: weights 2, inputs 2 bits (ntq); fc: full precision");
}

TEST_CASE("a layer whose inputs have another method names both, in the table, the summary and the JSON") {
  LayerReport layer;
  layer.name = "conv1";
  layer.method = "dorefa", layer.input_method = "pact";
  layer.weight_bits = layer.input_bits = 4;
  LayerReport inputs = layer;
  inputs.method = "", inputs.weight_bits = 32;
  CHECK(bits_summary({layer, inputs}) ==
        "conv1: weights 4, inputs 4 bits (dorefa, pact); conv1: weights fp, inputs 4 bits (pact)");
  CHECK(layer_table({layer}).find(" dorefa, pact ") != std::string::npos);
  const auto json = layers_to_json({layer, inputs});
  CHECK(json[0]["method"] == "dorefa");
  CHECK(json[0]["input_method"] == "pact");
  CHECK(json[1]["method"] == "");
}
