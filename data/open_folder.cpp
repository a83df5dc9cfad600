#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "data/image_tree.h"

namespace ntq {
namespace {

[[noreturn]] void fail(const std::string& name) {
  throw DataError(concat(name, ": cannot be read: ", std::strerror(errno)));
}

}  // namespace

OpenFolder::OpenFolder(const std::filesystem::path& path) : name_(path.string()) {
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor_ < 0) fail(name_);
  struct stat found {};
  DIR* const stream = ::fstat(descriptor_, &found) == 0 ? ::fdopendir(descriptor_) : nullptr;
  if (stream == nullptr) {
    const int error = errno;
    ::close(descriptor_);
    errno = error;
    fail(name_);
  }
  stream_ = stream;  // owns the descriptor from here on
  id_ = {found.st_dev, found.st_ino};
}

OpenFolder::~OpenFolder() { ::closedir(static_cast<DIR*>(stream_)); }

std::vector<OpenFolder::Entry> OpenFolder::entries() {
  DIR* const stream = static_cast<DIR*>(stream_);
  ::rewinddir(stream);
  std::vector<Entry> all;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr) break;
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    const bool file = entry->d_type == DT_REG || entry->d_type == DT_FIFO || entry->d_type == DT_SOCK ||
                      entry->d_type == DT_CHR || entry->d_type == DT_BLK;
    all.push_back({entry->d_name, entry->d_type == DT_DIR ? Entry::Kind::folder
                                  : file                  ? Entry::Kind::file
                                                          : Entry::Kind::unknown});
  }
  if (errno != 0) fail(name_);
  return all;
}

int64_t OpenFolder::file_size(const char* name) const {
  struct stat found {};
  if (::fstatat(descriptor_, name, &found, 0) != 0) {
    // A link to nowhere is there, and is not a file.
    return ::fstatat(descriptor_, name, &found, AT_SYMLINK_NOFOLLOW) == 0 ? -1 : -2;
  }
  return S_ISREG(found.st_mode) ? int64_t{found.st_size} : -1;
}

bool OpenFolder::is_folder(const char* name) const {
  struct stat found {};
  return ::fstatat(descriptor_, name, &found, 0) == 0 && S_ISDIR(found.st_mode);
}

}  // namespace ntq
