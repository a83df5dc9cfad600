// The cache file of a FileIndex: magic, root, classes, folders, what was left out, names, sizes, CRC-32.
#include <algorithm>
#include <cstring>
#include <limits>

#include "data/fingerprint.h"
#include "data/index_cache.h"

namespace ntq {
namespace {

constexpr char kMagic[] = "ntq index 2\n";

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
  Fingerprint sum;
  sum.add(bytes, size);
  return sum.value();
}

/// Names of folders and files, one within another: nothing that leads out of where it begins, nor to itself.
bool stays_below(const std::string& path) {
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    if (name.empty() || name[0] == '.' || name.find('\0') != name.npos) return false;
    begin = end + 1;
  }
  return true;
}

bool is_image_path(const std::string& path) {
  const auto slash = path.rfind('/');
  return stays_below(path) && is_image_name(slash == path.npos ? path : path.substr(slash + 1));
}

/// What left_out_notice() prints as it is.
bool is_plain(const std::string& kind) {
  return kind.size() < 64 && std::all_of(kind.begin(), kind.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool sound_names(const FileIndex& index) {
  for (size_t i = 0; i < index.classes.size(); ++i) {
    const std::string& name = index.classes[i].name;
    if (!stays_below(name) || name.find('/') != name.npos || (i > 0 && name <= index.classes[i - 1].name)) return false;
  }
  for (size_t i = 0; i < index.folders.size(); ++i) {
    if (i == 0 ? !index.folders[i].path.empty() : !stays_below(index.folders[i].path)) return false;
  }
  for (int64_t i = 0; i < index.size(); ++i) {
    const std::string name = index.name(i);
    if (!is_image_path(name) || index.file_size(i) < -1) return false;
    if (i > 0 && index.label(i) == index.label(i - 1) && name == index.name(i - 1)) return false;
  }
  return true;
}

}  // namespace

std::string pack_index(const FileIndex& index, const std::string& root) {
  std::string out = kMagic;
  put(out, root);
  put(out, static_cast<uint64_t>(index.classes.size()));
  for (const ClassFolder& c : index.classes) put(out, c.name), put(out, c.files);
  put(out, static_cast<uint64_t>(index.folders.size()));
  for (const IndexedFolder& f : index.folders) {
    put(out, f.path);
    put(out, f.stamp.modified), put(out, f.stamp.changed), put(out, f.stamp.inode), put(out, f.stamp.entries);
  }
  put(out, static_cast<uint64_t>(index.left_out.size()));
  for (const auto& [kind, count] : index.left_out) put(out, kind), put(out, count);
  put(out, index.names_);
  for (const uint32_t end : index.ends_) put(out, end);
  for (const int64_t size : index.sizes_) put(out, size);
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
    ClassFolder folder{reader.text(), reader.take<int64_t>()};
    if (folder.files < 0 || folder.files > std::numeric_limits<int32_t>::max() - files) return false;
    files += folder.files;
    found.classes.push_back(std::move(folder));
    found.class_end_.push_back(files);
  }
  for (auto left = reader.take<uint64_t>(); left > 0 && reader.good; --left) {
    found.folders.push_back(
        {reader.text(),
         {reader.take<int64_t>(), reader.take<int64_t>(), reader.take<uint64_t>(), reader.take<int64_t>()}});
  }
  for (auto left = reader.take<uint64_t>(); left > 0 && reader.good; --left) {
    const std::string kind = reader.text();
    const auto files_of_it = reader.take<int64_t>();
    if (!is_plain(kind) || files_of_it < 1) return false;
    found.left_out[kind] = files_of_it;
  }
  found.names_ = reader.text();
  const auto count = static_cast<size_t>(files);
  if (!reader.good || count > reader.left || count * (sizeof(uint32_t) + sizeof(int64_t)) != reader.left) return false;
  found.ends_.resize(count);
  found.sizes_.resize(count);
  uint32_t last = 0;
  for (uint32_t& end : found.ends_) {
    end = reader.take<uint32_t>();
    if (end < last || end > found.names_.size()) return false;
    last = end;
  }
  for (int64_t& size : found.sizes_) size = reader.take<int64_t>();
  if (last != found.names_.size() || !sound_names(found)) return false;
  index = std::move(found);
  return true;
}

}  // namespace ntq
