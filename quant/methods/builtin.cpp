#include "quant/methods/builtin.h"

namespace ntq {

// One function per file of this folder; a new method adds itself here and to the list.
QuantMethod apot_method(), diffq_method(), dorefa_method(), ewgs_method(), faq_method(), lcq_method(), lq_nets_method(),
    lsq_method(), lsq_plus_method(), minmax_method(), nice_method(), ntq_method(), pact_method(), qil_method(),
    quant_noise_method();

std::vector<QuantMethod> builtin_methods() {
  return {apot_method(), diffq_method(),   dorefa_method(), ewgs_method(),     faq_method(),
          lcq_method(),  lq_nets_method(), lsq_method(),    lsq_plus_method(), minmax_method(),
          nice_method(), ntq_method(),     pact_method(),   qil_method(),      quant_noise_method()};
}

}  // namespace ntq
