#include "data/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace ntq {
namespace {

[[noreturn]] void fail(const std::string& name, const char* what) {
  throw DataError(concat(name, ": ", what, ": ", std::strerror(errno)));
}

void require_regular(const std::string& name, mode_t mode) {
  if (S_ISREG(mode)) return;
  const char* kind = S_ISDIR(mode)    ? "a folder"
                     : S_ISFIFO(mode) ? "a named pipe"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device";
  throw DataError(concat(name, ": expected a file, found ", kind));
}

}  // namespace

RegularFile::RegularFile(const std::filesystem::path& path) : name_(path.string()) {
  // Looked at before it is opened, since opening alone may do something to a device; and after, since names move.
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) fail(name_, "cannot be opened");
  require_regular(name_, found.st_mode);
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor_ < 0) fail(name_, "cannot be opened");
  try {
    if (::fstat(descriptor_, &found) != 0) fail(name_, "cannot be opened");
    require_regular(name_, found.st_mode);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
  size_ = found.st_size;
}

RegularFile::~RegularFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int64_t RegularFile::read(std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::read(descriptor_, out.data() + done, out.size() - done);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(name_, "cannot be read");
    done += static_cast<size_t>(got);
  }
  return static_cast<int64_t>(done);
}

int RegularFile::release() { return std::exchange(descriptor_, -1); }

std::string read_text(const std::filesystem::path& path, int64_t most) {
  RegularFile file(path);
  if (file.size() > most) {
    throw DataError(concat(path.string(), ": expected a file of at most ", most, " bytes, found ", file.size()));
  }
  std::string text(static_cast<size_t>(file.size()), '\0');
  text.resize(static_cast<size_t>(file.read({reinterpret_cast<uint8_t*>(text.data()), text.size()})));
  return text;
}

}  // namespace ntq
