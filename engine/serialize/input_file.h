#pragma once
// A regular file to be read from front to back. Internal to serialize.
#include <cstddef>
#include <cstdint>
#include <string>

namespace ntq {

/// Pipes, devices, sockets and folders are refused before they are opened: nothing waits, nothing is set off.
class InputFile {
 public:
  /// Throws CheckpointError.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }
  /// Up to `bytes` bytes, fewer at the end of the file only. Throws CheckpointError.
  size_t read(void* to, size_t bytes);
  /// The first `bytes` bytes, fewer of a shorter file; reading goes on where it was.
  std::string start(size_t bytes) const;
  /// Leaves out the next `bytes` bytes.
  void skip(uint64_t bytes);

 private:
  [[noreturn]] void fail(int error) const;

  std::string path_;
  int file_ = -1;
  uint64_t size_ = 0;
};

}  // namespace ntq
