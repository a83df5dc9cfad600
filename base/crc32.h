#pragma once
// CRC-32 as zlib, PNG and gzip have it, of bytes that come in parts.
#include <cstddef>
#include <cstdint>
#include <string>

namespace ntq {

class Crc32 {
 public:
  void add(const void* data, size_t bytes);
  uint32_t value() const { return sum_; }
  /// 8 hex digits.
  std::string text() const;

 private:
  uint32_t sum_ = 0;
};

}  // namespace ntq
