#pragma once
// What tests look up in a module.
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/module.h"

namespace ntq::test {

/// A parameter or buffer.
inline Tensor state_of(const Module& module, const std::string& name) {
  for (const auto& [known, value] : module.state_dict()) {
    if (known == name) return value;
  }
  throw std::invalid_argument("no state " + name);
}

inline std::vector<std::string> names_of(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& entry : tensors) names.push_back(entry.first);
  return names;
}

/// The values of `state`, in memory of their own.
inline NamedTensors cloned(const NamedTensors& state) {
  NamedTensors out;
  for (const auto& [name, tensor] : state) out.emplace_back(name, tensor.clone());
  return out;
}

}  // namespace ntq::test
