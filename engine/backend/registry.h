#pragma once
// From a device's name to the backend that computes there.
#include "engine/backend/backend.h"

namespace ntq {

/// The backend of a device; throws DeviceError when there is none. The CPU's is made on first use.
Backend& backend_for(Device device);

}  // namespace ntq
