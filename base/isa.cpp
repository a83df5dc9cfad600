#include "base/isa.h"

#include <cstdlib>

#include "base/check.h"
#include "base/text.h"

namespace ntq::cpu {

std::vector<std::string> available_isas(IsaList list) {
  std::vector<std::string> names;
  for (const Isa& isa : all_isas(list)) {
    if (isa.supported) names.push_back(isa.name);
  }
  return names;
}

size_t isa_index(const std::string& name, IsaList list) {
  const std::vector<Isa>& isas = all_isas(list);
  for (size_t i = 0; i < isas.size(); ++i) {
    if (isas[i].supported && isas[i].name == name) return i;
  }
  throw DeviceError(concat("instruction set '", name,
                           "' is unknown or this processor lacks it; it can run: ", join(available_isas(list))));
}

std::string chosen_isa(IsaList list) {
  const char* wish = std::getenv("NTQ_CPU_ISA");
  if (wish == nullptr || *wish == '\0') return available_isas(list).back();
  for (const IsaList other : {IsaList::integers, IsaList::bf16}) {
    for (const Isa& isa : all_isas(other)) {
      if (list != other && isa.supported && isa.name == wish && !isa.extends.empty()) return isa.extends;
    }
  }
  return wish;
}

}  // namespace ntq::cpu
