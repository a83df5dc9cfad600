#pragma once
// Waiting for what another process or thread does.
#include <chrono>
#include <thread>

namespace ntq::test {

/// Looks every 2 ms whether `ready` holds; false when that takes longer than any loaded machine with sanitizers needs.
template <class Ready>
bool wait_until(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(240);
  while (!ready()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace ntq::test
