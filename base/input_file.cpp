#include "base/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/printable.h"

namespace ntq {
namespace {

constexpr size_t kMaxRead = size_t{1} << 30;  // some systems refuse 2 GB and more in one call

const char* kind_of(unsigned mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

InputFile::InputFile(const std::string& path, FileOf of) : path_(path), of_(of) {
  // Twice: a device may act when it is opened, and the file may be another one a moment later.
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail("opened", errno);
  require_regular(status.st_mode);
  file_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file_ < 0) fail("opened", errno);
  try {
    if (::fstat(file_, &status) != 0) fail("opened", errno);
    require_regular(status.st_mode);
  } catch (...) {
    ::close(file_);
    throw;
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() {
  if (file_ >= 0) ::close(file_);
}

size_t InputFile::read(void* to, size_t bytes) {
  auto* next = static_cast<std::byte*>(to);
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::read(file_, next + done, std::min(bytes - done, kMaxRead));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read", errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

std::string InputFile::start(size_t bytes) const {
  std::string text(bytes, '\0');
  ssize_t got;
  do {
    got = ::pread(file_, text.data(), text.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) fail("read", errno);
  text.resize(static_cast<size_t>(got));
  return text;
}

void InputFile::skip(uint64_t bytes) {
  if (::lseek(file_, static_cast<off_t>(bytes), SEEK_CUR) < 0) fail("read", errno);
}

int InputFile::release() { return std::exchange(file_, -1); }

void InputFile::fail(const char* what, int error) const {
  const std::string why = std::generic_category().message(error);
  if (of_ == FileOf::data) throw DataError(concat(path_, ": cannot be ", what, ": ", why));
  throw CheckpointError(
      concat(printable(path_), ": cannot read the file: ", why, "; check the path and its permissions"));
}

void InputFile::require_regular(unsigned mode) const {
  if (S_ISREG(mode)) return;
  const char* kind = kind_of(mode);
  if (of_ == FileOf::data) throw DataError(concat(path_, ": expected a file, found ", kind));
  throw CheckpointError(concat(printable(path_), ": cannot read the file: it is ", kind, ", not a regular file"));
}

std::string read_text_file(const std::string& path, uint64_t most, FileOf of) {
  constexpr size_t kChunk = 1 << 16;
  InputFile file(path, of);
  std::string text;
  for (size_t got = kChunk; got == kChunk;) {
    const size_t before = text.size();
    text.resize(before + kChunk);
    got = file.read(text.data() + before, kChunk);
    text.resize(before + got);
    if (text.size() <= most) continue;
    const std::string what = concat(": expected a text file of at most ", most, " bytes, found more");
    if (of == FileOf::data) throw DataError(path + what);
    throw CheckpointError(printable(path) + what);
  }
  return text;
}

}  // namespace ntq
