#include "engine/backend/cpu/bf16/kernels/dot.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

void dot_pairs(const BFloat16* a, const BFloat16* b, float* sums, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth)
    store(sums + i, dot(load_pairs(a + 2 * i), load_pairs(b + 2 * i), load(sums + i)));
  for (; i < n; ++i) {
    float lanes[kWidth];
    store(lanes, dot(splat_pair(a + 2 * i), splat_pair(b + 2 * i), splat(sums[i])));
    sums[i] = lanes[0];
  }
}

}  // namespace

const Kernels& kernels() {
  static const Kernels table = [] {
    Kernels t{};
    t.name = NTQ_ISA_NAME;
    t.width = kWidth;
    t.dot = dot_pairs;
    fill_winograd(t);
    fill_winograd_filters(t);
    fill_winograd_grad(t);
    fill_pack(t);
    fill_product(t);
    fill_outer(t);
    fill_outer_lines(t);
    return t;
  }();
  return table;
}

}  // namespace ntq::bf16::NTQ_ISA
