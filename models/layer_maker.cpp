#include "models/layer_maker.h"

#include "base/text.h"
#include "quant/method.h"

namespace ntq {
namespace {

/// Bits that were asked for by the layer's own name are its method's to give.
void check_own_bits(const ModelOptions& options, const std::string& name, const Quantizer* quantizer) {
  const auto own = options.bits_of.find(name);
  if (own == options.bits_of.end() || !own->second.weight || quantizer == nullptr) return;
  check(quantizer->learned_bits() != 32.0, "bits_of: ", name, ": ", quantizer->spec().method,
        " leaves weights as few as these in full precision (min_size); leave the layer out, or lower that");
}

}  // namespace

LayerMaker::LayerMaker(const ModelOptions& options) : options_(options) {
  check(options.classes >= 1 && options.in_channels >= 1, "make_model: classes and input channels must be >= 1, found ",
        options.classes, " and ", options.in_channels);
}

QuantSpec LayerMaker::spec(QuantSpec base, Side side, const std::string& name, Place place) const {
  base.seed = options_.seed;
  base.name.clear();  // the layer names its quantizers
  if (base.bits != 32 && place != Place::inner) base.bits = options_.first_last_bits.value_or(base.bits);
  if (const auto exception = options_.bits_of.find(name); exception != options_.bits_of.end())
    base.bits = (exception->second.*side).value_or(base.bits);
  return base;
}

QuantSpec LayerMaker::input_spec(const std::string& name, Place place, Values input) const {
  QuantSpec out = spec(options_.activation, &LayerBits::activation, name, place);
  out.is_signed = input == Values::any;
  if (out.bits == 32 || !out.is_signed) return out;
  const QuantScope& scope = quant_method(out.method).scope;
  if (!scope.unsigned_inputs || scope.signed_inputs) return out;
  const auto own = options_.bits_of.find(name);
  check(own == options_.bits_of.end() || !own->second.activation, "bits_of: ", name, ": ", out.method,
        " quantizes no inputs with a sign, which this layer's are; name bits of its weights alone (", name,
        "=w8), or give activations another method");
  out.bits = 32;
  return out;
}

std::shared_ptr<Conv2d> LayerMaker::make_conv(const std::string& name, const ConvSizes& sizes, Place place,
                                              Values input) {
  made_.insert(name);
  const Conv2dOptions options{.in_channels = sizes.in,
                              .out_channels = sizes.out,
                              .kernel = sizes.kernel,
                              .stride = sizes.stride,
                              .padding = sizes.kernel / 2,
                              .weight_quant = spec(options_.weight, &LayerBits::weight, name, place),
                              .input_quant = input_spec(name, place, input),
                              .seed = options_.seed,
                              .name = name};
  auto layer = std::make_shared<Conv2d>(options);
  check_own_bits(options_, name, layer->weight_quantizer().get());
  return layer;
}

std::shared_ptr<Conv2d> LayerMaker::first_conv(const std::string& name, const ConvSizes& sizes) {
  return make_conv(name, sizes, Place::first, options_.images);
}

std::shared_ptr<Conv2d> LayerMaker::conv(const std::string& name, const ConvSizes& sizes, Values input) {
  return make_conv(name, sizes, Place::inner, input);
}

std::shared_ptr<BatchNorm2d> LayerMaker::norm(int64_t channels) const {
  return std::make_shared<BatchNorm2d>(BatchNormOptions{.channels = channels});
}

std::shared_ptr<BatchNorm2d> LayerMaker::last_norm(int64_t channels) const {
  return std::make_shared<BatchNorm2d>(
      BatchNormOptions{.channels = channels, .initial_weight = options_.zero_init_residual ? 0.0f : 1.0f});
}

std::shared_ptr<Linear> LayerMaker::classifier(const std::string& name, int64_t features, Values input) {
  made_.insert(name);
  const LinearOptions options{.in_features = features,
                              .out_features = options_.classes,
                              .weight_quant = spec(options_.weight, &LayerBits::weight, name, Place::last),
                              .input_quant = input_spec(name, Place::last, input),
                              .seed = options_.seed,
                              .name = name};
  auto layer = std::make_shared<Linear>(options);
  check_own_bits(options_, name, layer->weight_quantizer().get());
  return layer;
}

std::shared_ptr<Quantizer> LayerMaker::skip_quantizer(const std::string& name, Values values) const {
  return make_quantizer({.method = "lsq",
                         .bits = options_.skip_bits,
                         .is_signed = values == Values::any,
                         .is_weight = false,
                         .seed = options_.seed,
                         .name = name});
}

void LayerMaker::check_exceptions() const {
  for (const auto& exception : options_.bits_of) {
    check(made_.contains(exception.first), "make_model: bits_of names '", exception.first,
          "', which is no layer of this model; its layers are: ", join(made_));
  }
}

}  // namespace ntq
