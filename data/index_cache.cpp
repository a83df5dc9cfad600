#include "data/index_cache.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "data/fingerprint.h"
#include "data/parallel.h"
#include "data/regular_file.h"
#include "engine/check.h"
#include "engine/serialize.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

/// Of a cache file; ImageNet's has 60 MB. Longer lists are read anew each time.
constexpr int64_t kMostBytes = int64_t{1} << 28;

bool settled(const FileIndex& index) {
  const auto before = std::chrono::system_clock::now() - std::chrono::milliseconds(100);
  const int64_t limit = std::chrono::duration_cast<std::chrono::nanoseconds>(before.time_since_epoch()).count();
  for (const IndexedFolder& folder : index.folders) {
    if (folder.stamp.changed >= limit) return false;
  }
  return true;
}

bool same(const FolderStamp& expected, OpenFolder& folder) {
  const FolderStamp before = folder.stamp();
  if (before.modified != expected.modified || before.changed != expected.changed || before.inode != expected.inode) {
    return false;
  }
  folder.count();
  return folder.stamp() == expected;
}

/// One class: its folders and its files, each a range of the index.
struct Part {
  size_t folder_begin = 0, folder_end = 0;
  int64_t file_begin = 0, file_end = 0;
};

bool part_is_true(const FileIndex& index, const fs::path& root, const Part& part, const std::atomic<bool>& stop) {
  int64_t file = part.file_begin;
  for (size_t i = part.folder_begin; i < part.folder_end && !stop; ++i) {
    OpenFolder folder(root / index.folders[i].path);
    if (!same(index.folders[i].stamp, folder)) return false;
    const std::string prefix = index.folders[i].path + "/";
    for (; file < part.file_end; ++file) {
      const std::string path = index.path(file);
      if (path.rfind('/') + 1 != prefix.size() || path.compare(0, prefix.size(), prefix) != 0) break;
      if (folder.file_size(path.c_str() + prefix.size()) != index.file_size(file)) return false;
    }
  }
  return file == part.file_end;
}

/// The parts of all classes; nothing where folders and classes do not fit.
std::vector<Part> parts_of(const FileIndex& index) {
  std::vector<Part> parts;
  size_t folder = 1;
  int64_t file = 0;
  for (const ClassFolder& of : index.classes) {
    Part part{folder, folder, file, file + of.files};
    while (folder < index.folders.size() &&
           (index.folders[folder].path == of.name ||
            index.folders[folder].path.compare(0, of.name.size() + 1, of.name + "/") == 0)) {
      ++folder;
    }
    part.folder_end = folder;
    if (folder == part.folder_begin || index.folders[part.folder_begin].path != of.name) return {};
    file = part.file_end;
    parts.push_back(part);
  }
  return folder == index.folders.size() ? parts : std::vector<Part>{};
}

}  // namespace

fs::path index_cache_path(const fs::path& root) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (cache != nullptr && *cache != '\0') {
    folder = cache;
  } else if (home != nullptr && *home != '\0') {
    folder = fs::path(home) / ".cache";
  } else {
    return {};
  }
  Fingerprint sum;
  const std::string text = root.string();
  sum.add(text.data(), text.size());
  char name[32];
  std::snprintf(name, sizeof name, "index-%08x.bin", sum.value());
  return folder / "ntq" / name;
}

bool still_true(const FileIndex& index, const fs::path& root) {
  const std::vector<Part> parts = parts_of(index);
  if (index.folders.empty() || parts.size() != index.classes.size()) return false;
  std::atomic<bool> stop = false;
  try {
    OpenFolder top(root);
    if (!same(index.folders[0].stamp, top)) return false;
    in_parallel(
        static_cast<int64_t>(parts.size()),
        [&](int64_t i) {
          if (!stop && !part_is_true(index, root, parts[static_cast<size_t>(i)], stop)) stop = true;
        },
        [](int64_t) {});
  } catch (const DataError&) {  // what cannot be read now is read again, and then has its own words
    return false;
  }
  return !stop;
}

bool load_index(const fs::path& cache, const fs::path& root, FileIndex& index) {
  if (cache.empty()) return false;
  try {
    FileIndex found;
    if (!unpack_index(read_text(cache, kMostBytes), root.string(), found) || !still_true(found, root)) return false;
    index = std::move(found);
    return true;
  } catch (const DataError&) {
    return false;
  }
}

void keep_index(const fs::path& cache, const fs::path& root, const FileIndex& index) {
  if (cache.empty() || !settled(index)) return;
  try {
    const std::string bytes = pack_index(index, root.string());
    if (static_cast<int64_t>(bytes.size()) > kMostBytes) return;
    std::error_code ignored;
    fs::create_directories(cache.parent_path(), ignored);
    write_file_atomically(cache.string(), bytes);
  } catch (const Error&) {
  }
}

}  // namespace ntq
