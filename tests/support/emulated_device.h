#pragma once
// The emulated device (tests/support/emulated), as tests see it.
#include <dlfcn.h>

#include "base/check.h"
#include "engine/backend/registry.h"
#include "tests/support/emulated/counters.h"
#include "tests/support/modules.h"

namespace ntq::test {

/// Device 0 has 64 MB, device 1 64 KB; there are no others.
inline Device emulated_device(int index = 0) {
  const ModulePath path;
  const Device device(concat("emulated:", index));
  backend_for(device);
  return device;
}

/// Of device 0.
inline emulated::Counters emulated_counters() {
  void* const library = dlopen(NTQ_TEST_MODULES "/ntq_backend_emulated.so", RTLD_NOW | RTLD_NOLOAD);
  check(library != nullptr, "the emulated device has not been loaded");
  emulated::Counters out;
  reinterpret_cast<decltype(&ntq_emulated_counters)>(dlsym(library, "ntq_emulated_counters"))(&out);
  return out;
}

}  // namespace ntq::test
