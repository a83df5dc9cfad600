#pragma once
// Files that appear whole or not at all.
#include <cstddef>
#include <string>
#include <string_view>

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

/// Writes `text` to `path` so. Throws CheckpointError.
void write_file_atomically(const std::string& path, std::string_view text);

/// Throws what writing `path` would throw before its first byte (no such folder, no permission, no regular file), so
/// that work can begin knowing where its result goes. Leaves nothing behind.
void check_writable(const std::string& path);

/// Removes what killed writers have left in `folder`: temporary files of processes of this host that are gone. Every
/// writer does so for its own target. Those of living processes and of other hosts stay; errors are nobody's concern.
void remove_stale_temporaries(const std::string& folder);

}  // namespace ntq
