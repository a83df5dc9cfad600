#include "base/crc32.h"

#include <zlib.h>

#include <array>
#include <cstdio>

namespace ntq {

void Crc32::add(const void* data, size_t bytes) {
  if (bytes > 0) sum_ = static_cast<uint32_t>(::crc32_z(sum_, static_cast<const Bytef*>(data), bytes));
}

std::string Crc32::text() const {
  std::array<char, 9> hex{};
  std::snprintf(hex.data(), hex.size(), "%08x", sum_);
  return hex.data();
}

}  // namespace ntq
