#pragma once
// Which file an analysis was made of.
#include <string>

namespace ntq::apps {

/// The CRC-32 of all its bytes, as 8 hex digits. Throws CheckpointError.
std::string file_crc32(const std::string& path);

}  // namespace ntq::apps
