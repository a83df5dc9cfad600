#pragma once
// Reading files that nobody vouches for: regular files only, so that a named pipe or a device never makes a reader
// wait.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace ntq {

class RegularFile {
 public:
  /// Throws DataError: not there, not readable, or not a regular file, and then what it is.
  explicit RegularFile(const std::filesystem::path& path);
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;
  int64_t size() const { return size_; }
  /// Fills `out` as far as the file goes; gives how many bytes that were. Throws DataError.
  int64_t read(std::span<uint8_t> out);
  /// The descriptor, which is the caller's to close from now on.
  int release();

 private:
  std::string name_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

/// The whole file. Throws DataError, also for one of more than `most` bytes.
std::string read_text(const std::filesystem::path& path, int64_t most);

}  // namespace ntq
