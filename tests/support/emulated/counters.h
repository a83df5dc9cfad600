#pragma once
// What tests ask the emulated device's library.
#include <cstdint>

namespace ntq::emulated {

/// How often values came back to the host, and how often it waited.
struct Counters {
  uint64_t copies_to_host = 0, waits = 0;
};

}  // namespace ntq::emulated

extern "C" __attribute__((visibility("default"))) ntq::emulated::Counters ntq_emulated_counters();
