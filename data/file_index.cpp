#include "data/file_index.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/text.h"
#include "data/parallel.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

void append(FileIndex& index, const std::string& name, const ImageTree& tree) {
  index.classes.push_back({name, 0});
  for (const ImageTree::File& file : tree.files) index.add(file.name, file.size);
  for (const auto& [kind, count] : tree.left_out) index.left_out[kind] += count;
}

}  // namespace

FileIndex read_index(const fs::path& root, const IndexProgress& progress) {
  const ClassList list = list_class_folders(root);
  FileIndex index;
  index.left_out = list.left_out;
  const auto count = static_cast<int64_t>(list.names.size());
  std::vector<ImageTree> trees(list.names.size());
  in_parallel(
      count,
      [&](int64_t i) {
        const auto at = static_cast<size_t>(i);
        trees[at] = read_image_tree(root / list.names[at], list.above);
      },
      [&](int64_t i) {  // in order, on this thread
        const auto at = static_cast<size_t>(i);
        append(index, list.names[at], trees[at]);
        trees[at] = {};
        if (progress) progress(index.size(), i + 1, count);
      });
  return index;
}

std::string_view FileIndex::view(int64_t file) const {
  const auto i = static_cast<size_t>(file);
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(names_).substr(begin, ends_[i] - begin);
}

std::string FileIndex::path(int64_t file) const {
  const std::string& folder = classes[static_cast<size_t>(label(file))].name;
  return folder.empty() ? name(file) : folder + "/" + name(file);
}

int32_t FileIndex::label(int64_t file) const {
  return static_cast<int32_t>(std::upper_bound(class_end_.begin(), class_end_.end(), file) - class_end_.begin());
}

void FileIndex::add(const std::string& name, int64_t size_in_bytes) {
  if (names_.size() + name.size() > std::numeric_limits<uint32_t>::max() ||
      size() >= std::numeric_limits<int32_t>::max()) {
    throw DataError(concat("more image files than an index can hold (", size(), "); use fewer"));
  }
  names_ += name;
  ends_.push_back(static_cast<uint32_t>(names_.size()));
  sizes_.push_back(size_in_bytes);
  class_end_.resize(classes.size(), size() - 1);
  class_end_.back() = size();
  ++classes.back().files;
}

FileIndex read_flat_index(const fs::path& root) {
  FileIndex index;
  append(index, "", read_image_tree(root));
  return index;
}

std::string left_out_notice(const FileIndex& index, const std::string& where) {
  constexpr size_t kShown = 8;
  std::vector<std::pair<int64_t, std::string>> kinds;
  int64_t all = 0;
  for (const auto& [kind, count] : index.left_out) kinds.emplace_back(-count, kind), all += count;
  if (all == 0) return {};
  std::sort(kinds.begin(), kinds.end());
  std::string out = concat(where, ": ", all, all == 1 ? " file" : " files", " left out: ");
  std::vector<std::string> images;
  for (size_t i = 0; i < kinds.size(); ++i) {
    const auto& [count, kind] = kinds[i];
    if (i < kShown) out += concat(i == 0 ? "" : ", ", -count, " ", kind);
    for (const char* ending : {".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".heic", ".avif", ".jxl", ".jp2"}) {
      if (kind == ending) images.push_back(kind);
    }
  }
  if (kinds.size() > kShown) out += concat(", and ", kinds.size() - kShown, " kinds more");
  if (!images.empty()) out += "; this build reads no " + join(images) + " images: convert them to JPEG or PNG";
  return out;
}

}  // namespace ntq
