#pragma once
// Safetensors files by hand.
#include <cstring>
#include <string>

#include "base/check.h"

namespace ntq::test {

/// A file of that header and so many bytes of values.
inline std::string raw_file(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, '\0');
}

inline std::string raw_entry(const std::string& dtype, const std::string& shape, size_t begin, size_t end) {
  return concat("{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":[", begin, ",", end, "]}");
}

}  // namespace ntq::test
