#pragma once
// Which kernels run: the best instruction set that the processor has, or NTQ_CPU_ISA (portable, avx2, avx512).
#include <string>
#include <vector>

#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu {

/// Names of the instruction sets that this processor can run, best last.
std::vector<std::string> available_isas();
/// The kernels of one; throws DeviceError naming what is available.
const Kernels& kernels_of(const std::string& isa);
/// The kernels chosen for this process, once.
const Kernels& chosen_kernels();

}  // namespace ntq::cpu
