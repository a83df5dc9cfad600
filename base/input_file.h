#pragma once
// A regular file to be read from front to back, and a whole text.
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

/// The text of a regular file: a pipe or a device is refused, not waited for. Throws CheckpointError in one line, for
/// more than `max_bytes` too.
std::string read_text_file(const std::string& path, uint64_t max_bytes = 64 << 20);

}  // namespace ntq
