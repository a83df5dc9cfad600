#pragma once
// The CRC-32 behind Dataset::fingerprint().
#include <cstddef>
#include <cstdint>
#include <string>

namespace ntq {

class Fingerprint {
 public:
  void add(const void* bytes, size_t size);
  /// Little-endian, on any machine.
  void add(int32_t value);
  void add(int64_t value);
  /// With its length, so that no two lists of texts look alike.
  void add(const std::string& text);
  uint32_t value() const { return sum_; }
  /// "kind:xxxxxxxx"
  std::string text(const char* kind) const;

 private:
  uint32_t sum_ = 0;
};

}  // namespace ntq
