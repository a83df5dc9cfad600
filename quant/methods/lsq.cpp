// LSQ: "Learned Step Size Quantization", Esser et al., ICLR 2020 (arXiv 1902.08153).
#include "quant/step_quantizer.h"

namespace ntq {
namespace {

class LsqQuantizer : public StepQuantizer {
 public:
  using StepQuantizer::StepQuantizer;
  std::optional<PlainSteps> plain_steps(const Tensor& x) const override { return own_steps(x); }
};

}  // namespace

QuantMethod lsq_method() {
  return {.name = "lsq",
          .help = "learned step size (Esser et al. 2020, arXiv 1902.08153)",
          .settings = step_settings(),
          .scope = {.per_channel = true},
          .make = [](const QuantSpec& spec) { return std::make_shared<LsqQuantizer>(spec); }};
}

}  // namespace ntq
