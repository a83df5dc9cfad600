#pragma once
// Finds and opens the module library of a device family.
#include <string>

#include "engine/backend/module_interface.h"

namespace ntq {

/// The module of "cuda" from ntq_backend_cuda.so. Throws DeviceError: not found, not loadable, not of this interface.
const BackendModule& load_backend_module(const std::string& family);

}  // namespace ntq
