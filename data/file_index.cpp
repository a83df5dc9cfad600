#include "data/file_index.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <limits>

#include <zlib.h>

#include "engine/check.h"
#include "engine/serialize.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

constexpr char kMagic[] = "ntq index 1\n";

int64_t changed(const fs::path& folder) {
  std::error_code error;
  const auto time = fs::last_write_time(folder, error);
  return error ? 0 : time.time_since_epoch().count();
}

/// The class folders of `root`, by name.
std::vector<ClassFolder> list_classes(const fs::path& root) {
  std::vector<ClassFolder> classes;
  std::error_code error;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unknown;
    const std::string name = entry->path().filename().string();
    if (name[0] != '.' && entry->is_directory(unknown)) classes.push_back({name, changed(entry->path()), 0});
  }
  if (error) throw DataError(concat(root.string(), ": cannot be read: ", error.message()));
  std::sort(classes.begin(), classes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return classes;
}

bool same_folders(const std::vector<ClassFolder>& a, const std::vector<ClassFolder>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.name == y.name && x.changed == y.changed; });
}

/// A folder that changed just now may change again within the same tick of its clock: such a list is not kept.
bool settled(const std::vector<ClassFolder>& classes) {
  const auto now = fs::file_time_type::clock::now();
  const int64_t limit = (now - std::chrono::seconds(2)).time_since_epoch().count();
  return std::all_of(classes.begin(), classes.end(), [&](const auto& c) { return c.changed < limit; });
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (!file || error) return {};
  bytes.resize(size);
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  return file ? bytes : std::string();
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void put(std::string& out, const std::string& text) {
  put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

/// Takes values off the front; once something does not fit, `good` stays false.
struct Reader {
  const char* at;
  size_t left;
  bool good = true;

  template <class T>
  T take() {
    T value{};
    if (good = good && left >= sizeof value; good) {
      std::memcpy(&value, at, sizeof value);
      at += sizeof value, left -= sizeof value;
    }
    return value;
  }
  std::string text() {
    const auto size = take<uint64_t>();
    if (good = good && size <= left; !good) return {};
    std::string out(at, size);
    at += size, left -= size;
    return out;
  }
};

uint32_t checksum(const char* bytes, size_t size) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes), size));
}

}  // namespace

std::string FileIndex::name(int64_t file) const {
  const auto i = static_cast<size_t>(file);
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  return names_.substr(begin, ends_[i] - begin);
}

int32_t FileIndex::label(int64_t file) const {
  return static_cast<int32_t>(std::upper_bound(class_end_.begin(), class_end_.end(), file) - class_end_.begin());
}

void FileIndex::add(const std::string& name) {
  names_ += name;
  if (names_.size() > std::numeric_limits<uint32_t>::max() || size() >= std::numeric_limits<int32_t>::max()) {
    throw DataError(concat("more image files than an index can hold (", size(), "); use fewer"));
  }
  ends_.push_back(static_cast<uint32_t>(names_.size()));
  class_end_.resize(classes.size(), size() - 1);
  class_end_.back() = size();
  ++classes.back().files;
}

bool is_image_name(const std::string& name) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0 || name[0] == '.') return false;
  std::string ending = name.substr(dot + 1);
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return ending == "jpeg" || ending == "jpg" || ending == "png";
}

std::vector<std::string> list_images(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (is_image_name(name)) names.push_back(std::move(name));
  }
  if (error) throw DataError(concat(folder.string(), ": cannot be read: ", error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

std::string pack_index(const FileIndex& index, const std::string& root) {
  std::string out = kMagic;
  put(out, root);
  put(out, static_cast<uint64_t>(index.classes.size()));
  for (const ClassFolder& c : index.classes) {
    put(out, c.name);
    put(out, c.changed);
    put(out, c.files);
  }
  put(out, index.names_);
  for (const uint32_t end : index.ends_) put(out, end);
  put(out, checksum(out.data(), out.size()));
  return out;
}

bool unpack_index(const std::string& bytes, const std::string& root, FileIndex& index) {
  constexpr size_t magic = sizeof kMagic - 1, sum = sizeof(uint32_t);
  if (bytes.size() < magic + sum || bytes.compare(0, magic, kMagic) != 0) return false;
  uint32_t expected = 0;
  std::memcpy(&expected, bytes.data() + bytes.size() - sum, sum);
  if (checksum(bytes.data(), bytes.size() - sum) != expected) return false;
  Reader reader{bytes.data() + magic, bytes.size() - magic - sum};
  if (reader.text() != root) return false;
  FileIndex found;
  int64_t files = 0;
  for (auto left = reader.take<uint64_t>(); left > 0 && reader.good; --left) {
    ClassFolder folder{reader.text(), reader.take<int64_t>(), reader.take<int64_t>()};
    if (folder.files < 0 || folder.files > std::numeric_limits<int32_t>::max()) return false;
    files += folder.files;
    found.classes.push_back(std::move(folder));
    found.class_end_.push_back(files);
  }
  found.names_ = reader.text();
  if (!reader.good || static_cast<uint64_t>(files) * sizeof(uint32_t) != reader.left) return false;
  found.ends_.resize(static_cast<size_t>(files));
  uint32_t last = 0;
  for (uint32_t& end : found.ends_) {
    end = reader.take<uint32_t>();
    if (end < last || end > found.names_.size()) return false;
    last = end;
  }
  index = std::move(found);
  return true;
}

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
  const std::string text = root.string();
  char name[32];
  std::snprintf(name, sizeof name, "index-%08x.bin", checksum(text.data(), text.size()));
  return folder / "ntq" / name;
}

FileIndex read_index(const fs::path& root, const fs::path& cache, const IndexProgress& progress) {
  FileIndex index;
  std::vector<ClassFolder> classes = list_classes(root);
  if (!cache.empty() && unpack_index(read_file(cache), root.string(), index) && same_folders(index.classes, classes)) {
    return index;
  }
  index = {};
  const auto count = static_cast<int64_t>(classes.size());
  for (ClassFolder& folder : classes) {
    const fs::path path = root / folder.name;
    index.classes.push_back(std::move(folder));
    for (const std::string& name : list_images(path)) index.add(name);
    if (progress) progress(index.size(), static_cast<int64_t>(index.classes.size()), count);
  }
  if (!cache.empty() && settled(index.classes)) {
    try {
      std::error_code ignored;
      fs::create_directories(cache.parent_path(), ignored);
      write_file_atomically(cache.string(), pack_index(index, root.string()));
    } catch (const CheckpointError&) {  // without a cache the folders are read again next time
    }
  }
  return index;
}

}  // namespace ntq
