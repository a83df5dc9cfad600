#pragma once
// Reading files that nobody vouches for: regular files only, so that a pipe or a device never makes a reader wait.
#include <cstddef>
#include <cstdint>
#include <string>

namespace ntq {

/// Whose file it is decides what its faults throw: CheckpointError (exit code 4) or DataError (3).
enum class FileOf { checkpoint, data };

/// A file to be read from front to back. Pipes, devices, sockets and folders are refused before they are opened:
/// nothing waits, nothing is set off. Each call throws the error of its kind, in one line.
class InputFile {
 public:
  explicit InputFile(const std::string& path, FileOf of = FileOf::checkpoint);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }
  /// Up to `bytes` bytes, fewer at the end of the file only.
  size_t read(void* to, size_t bytes);
  /// The first `bytes` bytes, fewer of a shorter file; reading goes on where it was.
  std::string start(size_t bytes) const;
  /// Leaves out the next `bytes` bytes.
  void skip(uint64_t bytes);
  /// The descriptor, which is the caller's to close from now on.
  int release();

 private:
  [[noreturn]] void fail(const char* what, int error) const;
  void require_regular(unsigned mode) const;

  std::string path_;
  FileOf of_;
  int file_ = -1;
  uint64_t size_ = 0;
};

/// The whole text of such a file; more than `most` bytes are refused.
std::string read_text_file(const std::string& path, uint64_t most = 64 << 20, FileOf of = FileOf::checkpoint);

}  // namespace ntq
