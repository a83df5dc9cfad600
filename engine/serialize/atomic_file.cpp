#include "engine/serialize/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "engine/check.h"

namespace ntq {
namespace {

constexpr size_t kMaxWrite = size_t{1} << 30;  // some systems refuse 2 GB and more in one call
constexpr int kMaxNames = 1000;

std::string folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

std::string advice(int error, const std::string& folder) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return concat("; create the folder ", folder, " first");
    case EACCES:
    case EPERM:
    case EROFS: return concat("; choose a folder that you may write to instead of ", folder);
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return concat("; free some space in ", folder);
    default: return "";
  }
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  std::error_code ignored;
  if (std::filesystem::is_symlink(path, ignored)) {
    const std::filesystem::path resolved = std::filesystem::weakly_canonical(path, ignored);
    if (!resolved.empty()) target_ = resolved.string();
  }
  struct stat old {};
  const bool exists = ::stat(target_.c_str(), &old) == 0;
  if (path.empty() || path.back() == '/' || (exists && !S_ISREG(old.st_mode))) {
    throw CheckpointError(concat("\"", path, "\": cannot write: it must name a regular file"));
  }
  create_temporary();
  if (exists) (void)::fchmod(file_, old.st_mode & 07777);  // best effort: the new file is the writer's own
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::create_temporary() {
  static std::atomic<uint64_t> counter{0};
  for (int attempt = 0; attempt < kMaxNames; ++attempt) {
    const std::string name = concat(target_, ".tmp-", ::getpid(), "-", counter++);
    file_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file_ >= 0) {
      temporary_ = name;
      return;
    }
    if (errno != EEXIST && errno != EINTR) fail("create", errno);  // EEXIST: left by a crash, or another host's
  }
  fail("create", EEXIST);
}

void AtomicFile::write(const void* data, size_t bytes) {
  const auto* next = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file_, next, std::min(bytes, kMaxWrite));
    if (written < 0) {
      if (errno == EINTR) continue;
      fail("write", errno);
    }
    next += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(file_) != 0) fail("flush", errno);
  const int closed = ::close(file_);  // network file systems report late write errors here
  file_ = -1;
  if (closed != 0 && errno != EINTR) fail("close", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("rename", errno);
  temporary_.clear();
  flush_folder();
}

void AtomicFile::flush_folder() const {
  // Not every file system can flush a folder, and a folder may be writable without being readable: only a device
  // error counts.
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  const int error = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  if (error == EIO) fail("flush the folder of", error);
}

void AtomicFile::fail(const char* action, int error) const {
  throw CheckpointError(concat(path_, ": cannot ", action, " the file: ", std::generic_category().message(error),
                               advice(error, folder_of(target_))));
}

}  // namespace ntq
