#include "engine/backend/cpu/kernels/kernels.h"

#define NTQ_TEXT_OF(x) #x
#define NTQ_TEXT(x) NTQ_TEXT_OF(x)

namespace ntq::cpu::NTQ_ISA {

const Kernels& kernels() {
  static const Kernels table = [] {
    Kernels t{};
    t.name = NTQ_TEXT(NTQ_ISA);
    fill_elementwise(t);
    fill_pointwise(t);
    fill_fold(t);
    fill_conv(t);
    fill_conv_grad(t);
    fill_winograd(t);
    fill_norm(t);
    fill_quantize(t);
    fill_resample(t);
    return t;
  }();
  return table;
}

}  // namespace ntq::cpu::NTQ_ISA
