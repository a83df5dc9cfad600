#pragma once
// The JSON header of a safetensors file, and the checksums in it. Internal to base/safetensors.h.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/printable.h"
#include "base/safetensors.h"

namespace ntq::safetensors {

inline constexpr uint64_t kLengthBytes = 8;
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the Python package's limit
inline constexpr const char* kMetadata = "__metadata__";
inline constexpr const char* kChecksums = "ntq.crc32";

/// Throws CheckpointError: "<file>: <message>; the file is damaged ...".
template <class... Args>
[[noreturn]] void damaged(const std::string& file, const Args&... message) {
  throw CheckpointError(
      concat(file, ": ", message..., "; the file is damaged or no safetensors file, use another copy"));
}

/// Parses and checks all of it, against `data_bytes` behind the header; throws CheckpointError.
Header parse_header(std::string_view json, uint64_t data_bytes, const std::string& file);
/// JSON padded with spaces to a multiple of 8 bytes. Throws std::invalid_argument for text that is not UTF-8.
std::string format_header(const Header& header);
/// The order of the entries' values in the file.
std::vector<size_t> order_by_offset(const std::vector<Entry>& entries);
/// Nothing for more than 2^62.
std::optional<uint64_t> count_elements(const std::vector<int64_t>& sizes);

/// CRC-32 of bytes, 8 hex digits.
std::string checksum(const void* data, size_t bytes);
/// The table for metadata "ntq.crc32"; `sums` holds each entry's checksum().
std::string checksum_table(const Header& header, const std::vector<std::string>& sums);
/// Throws CheckpointError naming what differs between `table`, read from the file, and the checksums of what was read.
void verify_checksums(const std::string& table, const Header& header, const std::vector<std::string>& sums,
                      const std::string& file);

}  // namespace ntq::safetensors
