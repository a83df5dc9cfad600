#include "engine/backend/cuda/launch.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace ntq::cuda {

std::string KernelEntry::words() const {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  return text ? text.get() : name;
}

}  // namespace ntq::cuda
