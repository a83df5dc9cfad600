#pragma once
// Instruction sets that kernels are compiled for, and the one of them that runs: the best that this processor has, or
// NTQ_CPU_ISA (portable, avx2, avx512; avx512vnni for kernels of integers, avx512bf16 for those of bfloat16).
#include <cstddef>
#include <string>
#include <vector>

namespace ntq::cpu {

/// Whose instruction sets. Kernels of integers and of bfloat16 are compiled for those that all kernels have, and for
/// one that adds their dot products to a common one and would give the others nothing.
enum class IsaList { common, integers, bf16 };

struct Isa {
  std::string name;
  bool supported;       ///< by this processor
  std::string extends;  ///< the common one that it adds to; empty for a common one
};

/// All of cmake/Kernels.cmake, best last.
const std::vector<Isa>& all_isas(IsaList list = IsaList::common);
/// Names of those that this processor can run, best last.
std::vector<std::string> available_isas(IsaList list = IsaList::common);
/// Place in all_isas(list); throws DeviceError, naming what is available, for one that is not.
size_t isa_index(const std::string& name, IsaList list = IsaList::common);
/// The name of the one for this process: as NTQ_CPU_ISA has it, available or not. Where that adds to a common one,
/// kernels that are not compiled for it take the common one.
std::string chosen_isa(IsaList list = IsaList::common);

}  // namespace ntq::cpu
