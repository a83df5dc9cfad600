#include "layers/layer_quant.h"

namespace ntq {
namespace {

std::shared_ptr<Quantizer> make_named(QuantSpec spec, const std::string& layer, const char* child) {
  if (spec.name.empty()) spec.name = layer.empty() ? child : layer + "." + child;
  return make_quantizer(spec);
}

}  // namespace

std::shared_ptr<Quantizer> make_weight_quantizer(QuantSpec spec, const std::string& layer, const Shape& weight) {
  spec.is_weight = true;
  spec.shape = weight;
  return make_named(std::move(spec), layer, "weight_quant");
}

std::shared_ptr<Quantizer> make_input_quantizer(QuantSpec spec, const std::string& layer) {
  spec.is_weight = spec.per_channel = false;
  spec.shape = {};
  return make_named(std::move(spec), layer, "input_quant");
}

}  // namespace ntq
