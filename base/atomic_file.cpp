#include "base/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/check.h"
#include "base/number.h"

namespace ntq {
namespace {

constexpr size_t kMaxWrite = size_t{1} << 30;  // some systems refuse 2 GB and more in one call
constexpr int kMaxNames = 1000;
constexpr std::string_view kMark = ".tmp-";

/// Names temporary files: processes of other hosts write into shared folders too. Without what names cannot hold.
std::string host() {
  struct utsname names {};
  std::string name = ::uname(&names) == 0 ? names.nodename : "";
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name.substr(0, 32);
}

/// The process that wrote a temporary file of that name on this host: "x.tmp-HOST-PID-N", of earlier versions
/// "x.tmp-PID-N"; 0 for all other names.
pid_t writer_of(const std::string& name) {
  const auto mark = name.rfind(kMark);
  if (mark == std::string::npos || mark == 0) return 0;
  std::string_view rest = std::string_view(name).substr(mark + kMark.size());
  const std::string here = host() + "-";
  if (rest.starts_with(here)) rest.remove_prefix(here.size());
  pid_t pid = 0;
  const char* end = rest.data() + rest.size();
  const auto [dash, no_pid] = std::from_chars(rest.data(), end, pid);
  if (no_pid != std::errc() || pid <= 0 || dash == end || *dash != '-') return 0;
  return to_number<unsigned long>({dash + 1, end}) ? pid : 0;
}

/// Writers hold a lock, which also tells of those that this process cannot see (in another container), and of earlier
/// processes of its own number.
bool is_stale(const std::string& path, pid_t writer) {
  if (writer != ::getpid() && (::kill(writer, 0) == 0 || errno != ESRCH)) return false;
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return false;
  const int locked = ::flock(file, LOCK_EX | LOCK_NB);
  const bool stale = locked == 0 || (errno != EWOULDBLOCK && writer != ::getpid());  // a file system without locks
  ::close(file);
  return stale;
}

/// Removes the temporary files of dead processes in `folder` whose names begin with `start`.
void remove_stale(const std::string& folder, const std::string& start) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const pid_t writer = name.starts_with(start) ? writer_of(name) : 0;
    std::error_code ignored;
    if (writer == 0 || !std::filesystem::is_regular_file(it->symlink_status(ignored))) continue;
    if (is_stale(it->path().string(), writer)) std::filesystem::remove(it->path(), ignored);
  }
}

std::string folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

std::string advice(int error, const std::string& folder) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: {
      std::error_code unknown;
      if (std::filesystem::is_directory(folder, unknown)) return concat("; choose another folder than ", folder);
      return concat("; create the folder ", folder, " first");
    }
    case EACCES:
    case EPERM:
    case EROFS: return concat("; choose a folder that you may write to instead of ", folder);
    case ENOSPC:
    case EDQUOT: return concat("; free some space in ", folder);
    case EFBIG: return concat("; free some space in ", folder, ", or raise the limit on file sizes (ulimit -f)");
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
  remove_stale(folder_of(target_), std::filesystem::path(target_).filename().string() + std::string(kMark));
  static std::atomic<uint64_t> counter{0};
  for (int attempt = 0; attempt < kMaxNames; ++attempt) {
    const std::string name = concat(target_, kMark, host(), "-", ::getpid(), "-", counter++);
    file_ = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file_ >= 0) {
      (void)::flock(file_, LOCK_EX | LOCK_NB);  // best effort: says to is_stale() that somebody writes
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

void write_file_atomically(const std::string& path, std::string_view text) {
  AtomicFile out(path);
  out.write(text.data(), text.size());
  out.commit();
}

void check_writable(const std::string& path) { const AtomicFile file(path); }

void remove_stale_temporaries(const std::string& folder) { remove_stale(folder, ""); }

}  // namespace ntq
