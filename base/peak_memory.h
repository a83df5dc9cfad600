#pragma once
#include <cstdint>

namespace ntq {

/// The most memory in bytes that this process has had since its program began; 0 where the system does not say. (What
/// getrusage() gives counts the program that started it too.)
int64_t peak_memory();

}  // namespace ntq
