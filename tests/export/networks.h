#pragma once
// Networks with numbers in them as training leaves them: quantizer steps, batch-norm statistics, gammas of both signs.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/autograd.h"
#include "engine/ops/random.h"
#include "infer/graph.h"
#include "models/model.h"

namespace ntq::test {

inline Tensor noise_image(const Shape& shape, uint32_t stream) {
  return standard_normal(shape, {.seed = 7, .stream = stream, .step = 0});
}

/// Batch norms that do something, a dead channel and a negative gamma in each; then the quantizers' first values.
inline void settle(Module& model, const Shape& images) {
  const NoGrad no_grad;
  uint32_t stream = 0;
  for (auto [name, tensor] : model.state_dict()) {
    const bool mean = name.ends_with("running_mean"), var = name.ends_with("running_var");
    const bool gamma = tensor.shape().rank() == 1 && name.ends_with(".weight");
    if (!mean && !var && !gamma) continue;
    const Tensor draw = standard_normal(tensor.shape(), {.seed = 3, .stream = ++stream, .step = 0});
    for (int64_t c = 0; c < tensor.numel(); ++c)
      tensor.f32()[c] = mean ? 0.1f * draw.f32()[c] : 1 + 0.2f * std::clamp(draw.f32()[c], -2.0f, 2.0f);
    if (gamma && tensor.numel() > 2) tensor.f32()[1] = 0, tensor.f32()[2] *= -1;
  }
  model.train();
  model.forward(noise_image(images, 1));
}

inline std::shared_ptr<Module> settled(const std::string& name, ModelOptions options, int64_t side) {
  auto model = make_model(name, options);
  settle(*model, {4, side, side, options.in_channels});
  return model;
}

inline ModelOptions bits(int weights, int inputs, const std::string& method = "lsq") {
  ModelOptions options{.classes = 5};
  options.weight.method = options.activation.method = method;
  options.weight.bits = weights, options.activation.bits = inputs;
  return options;
}

/// Of one image, in evaluation: logits.
inline std::vector<float> float_logits(Module& model, const Tensor& image) {
  const NoGrad no_grad;
  model.eval();
  return model.forward(image).to_vector();
}

}  // namespace ntq::test
