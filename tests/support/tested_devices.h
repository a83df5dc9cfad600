#pragma once
// The devices that tests hold to the CPU's numbers: the emulated one or, for scripts/gpu-check, those that
// NTQ_TEST_DEVICES names, "cuda:0,cuda:1".
#include <cstdlib>
#include <sstream>
#include <vector>

#include "tests/support/emulated_device.h"

namespace ntq::test {

inline std::vector<Device> named_devices() {
  std::vector<Device> devices;
  const char* const names = std::getenv("NTQ_TEST_DEVICES");
  std::istringstream list(names != nullptr ? names : "");
  for (std::string name; std::getline(list, name, ',');) {
    devices.emplace_back(name);
    backend_for(devices.back());
  }
  return devices;
}

inline std::vector<Device> tested_devices() {
  std::vector<Device> devices = named_devices();
  if (devices.empty()) devices.push_back(emulated_device());
  return devices;
}

/// The first of them.
inline Device tested_device() { return tested_devices().front(); }

}  // namespace ntq::test
