#pragma once
// The CRC-32 behind Dataset::fingerprint().
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/crc32.h"

namespace ntq {

class Fingerprint {
 public:
  void add(const void* bytes, size_t size) { sum_.add(bytes, size); }
  /// Little-endian, on any machine.
  void add(int32_t value);
  void add(int64_t value);
  /// With its length, so that no two lists of texts look alike.
  void add(const std::string& text);
  /// "kind:xxxxxxxx"
  std::string text(const std::string& kind) const { return kind + ":" + sum_.text(); }

 private:
  Crc32 sum_;
};

}  // namespace ntq
