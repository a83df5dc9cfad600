// NTQ: "Error-aware Quantization through Noise Tempering" (arXiv 2212.05603): LSQ whose weights get noise in training,
// sized by each weight's quantization error (Eq. 7). The paper defines no noise for activations.
#include "quant/step_quantizer.h"

namespace ntq {

std::shared_ptr<Quantizer> make_ntq(const QuantSpec& spec) {
  const float c = spec.is_weight ? spec.noise_c : 0.0f;
  return std::make_shared<StepQuantizer>(spec, NoiseLevel{c, spec.noise_k});
}

}  // namespace ntq
