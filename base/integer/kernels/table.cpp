#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {

const Kernels& kernels() {
  static constexpr Kernels table = {NTQ_ISA_NAME, conv,      tight,   winograd, float_conv,
                                    window_sums,  pointwise, look_up, max_pool, average};
  return table;
}

}  // namespace ntq::integer::NTQ_ISA
