#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {

const Kernels& kernels() {
  static const Kernels table = [] {
    Kernels t{};
    t.name = NTQ_ISA_NAME;
    fill_elementwise(t);
    fill_pointwise(t);
    fill_fold(t);
    fill_conv(t);
    fill_conv_grad(t);
    fill_winograd(t);
    fill_norm(t);
    fill_norm_grad(t);
    fill_pool(t);
    fill_quantize(t);
    fill_look_up(t);
    fill_basis(t);
    fill_companding(t);
    return t;
  }();
  return table;
}

}  // namespace ntq::cpu::NTQ_ISA
