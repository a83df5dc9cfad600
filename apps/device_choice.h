#pragma once
// Which device a command computes on.
#include <string>

#include "engine/device.h"
#include "engine/dtype.h"

namespace ntq::apps {

struct DeviceChoice {
  Device device;
  std::string why_no_gpu = {};  ///< one line, where "auto" came to the CPU
};

/// Of --device: "auto" takes the first GPU that stores activations as asked for, else the CPU; any other is used or
/// refused, in a DeviceError of one line.
DeviceChoice choose_device(const std::string& option, DType activations);

}  // namespace ntq::apps
