#pragma once
// Bytes that nobody may touch: the address sanitizer stops at any access, without it a write is found afterwards.
#include <sanitizer/asan_interface.h>

#include <cstddef>
#include <cstring>

namespace ntq::emulated {

/// Not a number in every type; what memory holds before anyone has written there.
constexpr unsigned char kUnwritten = 0xff;

/// Parts of it may have been forbidden before.
inline void forbid(void* memory, size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  std::memset(memory, kUnwritten, bytes);
  ASAN_POISON_MEMORY_REGION(memory, bytes);
}

inline void allow(void* memory, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(memory, bytes); }

/// Of forbidden bytes.
inline bool untouched(unsigned char* memory, size_t bytes) {
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  size_t same = 0;
  while (same < bytes && memory[same] == kUnwritten) ++same;
  ASAN_POISON_MEMORY_REGION(memory, bytes);
  return same == bytes;
}

}  // namespace ntq::emulated
