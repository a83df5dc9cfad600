#pragma once
// The IDX format of MNIST and its successors: big-endian header, then unsigned bytes.
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace ntq {

struct IdxFile {
  int64_t count = 0;            ///< size of the first axis
  std::vector<uint8_t> values;  ///< count * product of the item's sizes
};

/// Reads a file of unsigned bytes, plain or gzip, whose axes after the first are `item_sizes`. Nothing is allocated
/// before the header fits the file's size. Throws DataError.
IdxFile read_idx(const std::filesystem::path& path, std::span<const int64_t> item_sizes);

}  // namespace ntq
