#include "engine/backend/cpu/isa.h"

#include <cstdlib>

#include "base/check.h"

namespace ntq::cpu {
namespace {

struct Choice {
  std::string name;
  const Kernels& (*kernels)();
  bool supported;
};

const std::vector<Choice>& choices() {
  static const std::vector<Choice> list = {
      {"portable", portable::kernels, true},
#ifdef NTQ_X86
      {"avx2", avx2::kernels, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
      {"avx512", avx512::kernels,
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl")},
#endif
  };
  return list;
}

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Choice& choice : choices()) {
    if (choice.supported) names.push_back(choice.name);
  }
  return names;
}

const Kernels& kernels_of(const std::string& isa) {
  std::string allowed;
  for (const Choice& choice : choices()) {
    if (choice.supported && choice.name == isa) return choice.kernels();
    if (choice.supported) allowed += (allowed.empty() ? "" : ", ") + choice.name;
  }
  throw DeviceError(concat("instruction set '", isa, "' is unknown or this processor lacks it; it can run: ", allowed));
}

const Kernels& chosen_kernels() {
  static const Kernels& chosen = [&]() -> const Kernels& {
    const char* wish = std::getenv("NTQ_CPU_ISA");
    return kernels_of(wish && *wish ? wish : available_isas().back());
  }();
  return chosen;
}

}  // namespace ntq::cpu
