#pragma once
// Instruction sets that kernels are compiled for, and the one of them that runs: the best that this processor has, or
// NTQ_CPU_ISA (portable, avx2, avx512).
#include <cstddef>
#include <string>
#include <vector>

namespace ntq::cpu {

struct Isa {
  std::string name;
  bool supported;  ///< by this processor
};

/// All of cmake/Kernels.cmake, best last.
const std::vector<Isa>& all_isas();
/// Names of those that this processor can run, best last.
std::vector<std::string> available_isas();
/// Place in all_isas(); throws DeviceError, naming what is available, for one that is not.
size_t isa_index(const std::string& name);
/// The name of the one for this process: as NTQ_CPU_ISA has it, available or not.
std::string chosen_isa();

}  // namespace ntq::cpu
