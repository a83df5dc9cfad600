#include "engine/backend/registry.h"

#include "base/check.h"
#include "engine/backend/cpu/cpu_backend.h"

namespace ntq {

Backend& backend_for(Device device) {
  if (device.type == DeviceType::cpu) return cpu::cpu_backend();
  throw DeviceError(concat("device ", device.str(), " is not available in this build; use cpu"));
}

}  // namespace ntq
