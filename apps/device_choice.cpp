#include "apps/device_choice.h"

#include "base/check.h"
#include "engine/backend/registry.h"
#include "train/activations.h"

namespace ntq::apps {
namespace {

Device opened(const std::string& name, DType activations) {
  const Device device(name);
  backend_for(device);
  check_activations(device, activations);
  return device;
}

}  // namespace

DeviceChoice choose_device(const std::string& option, DType activations) {
  if (option != "auto") return {opened(option, activations)};
  try {
    return {opened("cuda", activations)};
  } catch (const DeviceError& no_gpu) {
    return {opened("cpu", activations), no_gpu.what()};
  }
}

}  // namespace ntq::apps
