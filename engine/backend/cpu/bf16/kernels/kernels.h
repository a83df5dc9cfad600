#pragma once
// The serial kernels of convolutions in bfloat16, of one instruction set: products of pairs summed in float32. All
// instruction sets give the same bits, those without such an instruction too (dot.h).
#include <string>

#include "base/bf16.h"
#include "engine/backend/args.h"

namespace ntq::bf16 {

struct Kernels {
  const char* name;
  int width;  // floats of a vector
  /// sums[i] += a[2i+1] b[2i+1], then += a[2i] b[2i], over n sums: the step that all products are made of.
  void (*dot)(const BFloat16* a, const BFloat16* b, float* sums, int64_t n);
};

/// Those of an instruction set by its name; throws DeviceError as isa_index() does (base/isa.h).
const Kernels& kernels_of(const std::string& isa);
/// Those of chosen_isa(IsaList::bf16), the same for the whole process.
const Kernels& chosen_kernels();

}  // namespace ntq::bf16

#ifdef NTQ_ISA
namespace ntq::bf16::NTQ_ISA {
const Kernels& kernels();
}  // namespace ntq::bf16::NTQ_ISA
#endif
