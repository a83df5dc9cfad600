// The size of a model whose bits are learned, and the export of codes with an offset.
#include <doctest/doctest.h>

#include "engine/ops/codes.h"
#include "layers/linear.h"
#include "layers/sequential.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"
#include "train/layer_report.h"
#include "train/weights.h"

using namespace ntq;

namespace {

std::shared_ptr<Linear> layer_of(const QuantSpec& weight) {
  return std::make_shared<Linear>(LinearOptions{
      .in_features = 8, .out_features = 4, .weight_quant = weight, .input_quant = {}, .seed = 1, .name = "fc"});
}

}  // namespace

TEST_CASE("the size of a layer: its weights at their bits and what decodes them, all else as float32") {
  const auto lsq = layer_of({.method = "lsq", .bits = 3});
  CHECK(deployed_bits(*lsq) == 32 * 3 + 32 + 4 * 32);  // weights, step, bias
  const auto diffq = layer_of({.method = "diffq", .bits = 4, .settings = {{"min_size", 0}}});
  CHECK(deployed_bits(*diffq) == 32 * 4 + 72 + 4 * 2 + 4 * 32);  // four groups, their bits in two bits each
  const LayerReport report = report_layers(*diffq).at(0);
  CHECK(report.learned_bits.value() == 4);
  CHECK(report.stored_bits == 32 * 4 + 72 + 4 * 2);
}

TEST_CASE("codes of an affine grid are exported with their step and offset") {
  const auto layer = layer_of({.method = "quant-noise", .bits = 4});
  layer->forward(test::some_values({2, 8}));
  layer->eval();
  Sequential model({layer});
  std::map<std::string, Tensor> file;
  for (const auto& [name, value] : public_weights(model, Export::codes)) file.emplace(name, value);
  REQUIRE(file.at("0.weight").dtype() == DType::u8);
  const auto& q = *layer->weight_quantizer();
  const Codes codes{
      file.at("0.weight"),
      {.range = q.range(), .step = file.at("0.weight_quant.step"), .offset = file.at("0.weight_quant.offset")}};
  CHECK(test::same_values(decode(codes), layer->weight_quantizer()->forward(layer->weight())));
}
