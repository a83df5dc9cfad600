#pragma once
// What tests ask the emulated device's library.
#include <cstdint>

namespace ntq::emulated {

/// How often values came back to the host, it waited, segments of memory and pinned memory were asked for, kernels were
/// launched.
struct Counters {
  uint64_t copies_to_host = 0, waits = 0, segments = 0, pinned = 0, launches = 0;
};

}  // namespace ntq::emulated

/// Of device 0.
extern "C" __attribute__((visibility("default"))) void ntq_emulated_counters(ntq::emulated::Counters* out);
