#include "apps/layer_text.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "layers/linear.h"
#include "quant/method.h"
#include "quant/tree.h"

using namespace ntq;
using namespace ntq::apps;

TEST_CASE("neighbours of equal bits are told together") {
  LayerReport quantized, full;
  quantized.method = quantized.input_method = "ntq";
  quantized.weight_bits = quantized.input_bits = 2;
  full.name = "fc";
  CHECK(bits_summary({quantized, quantized, full}) == "2 between: weights 2, inputs 2 bits (ntq); fc: full precision");
}

TEST_CASE("bits that are learned are told as the first ones, layers that the method leaves alone as floats") {
  LayerReport learned, alone;
  learned.name = "conv1", alone.name = "fc";
  learned.method = alone.method = "diffq";
  learned.weight_bits = alone.weight_bits = 4;
  learned.learned_bits = 3.9, alone.learned_bits = 32;
  CHECK(bits_summary({learned, alone}) ==
        "conv1: weights 4 at first, inputs fp bits (diffq); fc: weights fp, inputs fp bits (diffq)");
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

namespace {

struct OneLayer : Module {
  std::shared_ptr<Linear> layer;
  explicit OneLayer(const std::string& method)
      : layer(register_module("fc",
                              std::make_shared<Linear>(LinearOptions{
                                  .in_features = 64,
                                  .out_features = 3,
                                  .weight_quant = {.method = "lq-nets", .bits = 2},
                                  .input_quant = {.method = method, .bits = 3, .is_signed = false, .is_weight = false},
                                  .name = "fc"}))) {}
  Tensor forward(const Tensor& x) override { return layer->forward(x); }
};

/// By what docs/commands.md says of ntq.layers.
double code_of(const nlohmann::ordered_json& json, float x) {
  double code = json["low"];
  if (json.contains("thresholds")) {
    for (const float at : json["thresholds"]) code += at <= x ? 1 : 0;
    return code;
  }
  const float from = json.contains("offset") ? x - json["offset"].get<float>() : x;
  return std::min(std::max(std::nearbyint(double{from / json["step"].get<float>()}), code), json["high"].get<double>());
}

}  // namespace

TEST_CASE("ntq.layers says how an input becomes a code, by every method") {
  for (const std::string& method : quantizer_names()) {
    if (!quant_method(method).scope.unsigned_inputs) continue;
    CAPTURE(method);
    OneLayer model(method);
    std::vector<float> some(64);
    for (size_t i = 0; i < some.size(); ++i) some[i] = 0.03f * static_cast<float>(i);
    const Tensor x = Tensor::from({1, 64}, std::span<const float>(some));
    model.train();
    const Quantizers quantizers(model);
    calibrate(quantizers, [&] { model.forward(x); });
    model.forward(x);
    model.eval();
    const auto json = quantization_json(model)["fc"];
    CHECK(json["weight"]["levels"].size() == 3);
    CHECK(json["weight"]["levels"][0].size() == 4);
    const auto codes = model.layer->input_quantizer()->encode(x).values.to_vector<uint8_t>();
    for (size_t i = 0; i < some.size(); ++i) CHECK(code_of(json["input"], some[i]) == codes[i]);
  }
}
