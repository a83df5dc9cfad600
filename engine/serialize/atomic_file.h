#pragma once
// A file that appears whole or not at all. Internal to serialize.
#include <cstddef>
#include <string>

namespace ntq {

/// Writes to a temporary file in the folder of `path`; commit() puts it in place. Without commit() the temporary file
/// is removed and `path` stays as it was. A symbolic link is followed; an existing file keeps its permissions.
class AtomicFile {
 public:
  /// Throws CheckpointError: no such folder, no permission, not a regular file.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws CheckpointError: disk full, quota, device error.
  void write(const void* data, size_t bytes);
  /// Flushes the file, renames it and flushes the folder. Throws CheckpointError; call it once.
  void commit();

 private:
  void create_temporary();
  [[noreturn]] void fail(const char* action, int error) const;
  void flush_folder() const;

  std::string path_, target_, temporary_;  // as given; links followed; empty when there is none to remove
  int file_ = -1;
};

}  // namespace ntq
