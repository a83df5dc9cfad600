#pragma once
// From the type of a view to the kernels of it.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/dtype.h"

namespace ntq::cpu {

/// Calls run(kernels of tensors stored as `type`): of bfloat16 or, for every other type, of float32; values() refuses
/// views that do not hold it. `[&]<class T>(const StoredKernels<T>& k) {...}`
template <class Run>
void with_stored(const Kernels& kernels, DType type, Run&& run) {
  if (type == DType::bf16) {
    run(kernels.bf16);
  } else {
    run(kernels.f32);
  }
}

}  // namespace ntq::cpu
