#include "quant/methods/builtin.h"

namespace ntq {

// One function per file of this folder; a new method adds itself here and to the list.
QuantMethod apot_method(), ewgs_method(), lcq_method(), lq_nets_method(), lsq_method(), ntq_method(), qil_method();

std::vector<QuantMethod> builtin_methods() {
  return {apot_method(), ewgs_method(), lcq_method(), lq_nets_method(), lsq_method(), ntq_method(), qil_method()};
}

}  // namespace ntq
