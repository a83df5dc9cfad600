// LSQ: "Learned Step Size Quantization", Esser et al., ICLR 2020 (arXiv 1902.08153).
#include "quant/step_quantizer.h"

namespace ntq {

std::shared_ptr<Quantizer> make_lsq(const QuantSpec& spec) { return std::make_shared<StepQuantizer>(spec); }

}  // namespace ntq
