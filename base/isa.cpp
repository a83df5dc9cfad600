#include "base/isa.h"

#include <cstdlib>

#include "base/check.h"
#include "base/text.h"

namespace ntq::cpu {

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : all_isas()) {
    if (isa.supported) names.push_back(isa.name);
  }
  return names;
}

size_t isa_index(const std::string& name) {
  for (size_t i = 0; i < all_isas().size(); ++i) {
    const Isa& isa = all_isas()[i];
    if (isa.supported && isa.name == name) return i;
  }
  throw DeviceError(concat("instruction set '", name,
                           "' is unknown or this processor lacks it; it can run: ", join(available_isas())));
}

std::string chosen_isa() {
  const char* wish = std::getenv("NTQ_CPU_ISA");
  return wish != nullptr && *wish != '\0' ? wish : available_isas().back();
}

}  // namespace ntq::cpu
