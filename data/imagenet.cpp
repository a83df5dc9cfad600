// imagenet: <dir>/imagenet/{train,val}/<wnid>/*.JPEG, or the official flat val folder with a list of labels; folder:
// any <dir>/{train,val}/<class>/*. Classes are numbered by sorted folder name.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>

#include "data/image_folder.h"
#include "data/sources.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

bool is_folder(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

/// The first of `candidates` that has a train or a val folder.
fs::path find_root(const std::string& name, const std::vector<fs::path>& candidates) {
  std::string tried;
  for (const fs::path& folder : candidates) {
    if (is_folder(folder / "train") || is_folder(folder / "val")) return fs::absolute(folder).lexically_normal();
    tried += concat(tried.empty() ? "" : ", ", folder.string(), is_folder(folder) ? "" : " (no such folder)");
  }
  throw DataError(concat(name, ": no data found. Looked for train/<class>/*.JPEG and val/<class>/*.JPEG in ", tried,
                         name == "imagenet" ? "; get ILSVRC2012 from image-net.org" : "",
                         "; --data-dir names the folder that holds them"));
}

/// Files directly in `root`, as one class without a name.
FileIndex list_flat(const fs::path& root) {
  FileIndex index;
  index.classes.push_back({});
  for (const std::string& name : list_images(root)) index.add(name);
  return index;
}

using ClassNumbers = std::map<std::string, int32_t>;

ClassNumbers number(const std::vector<ClassFolder>& classes) {
  ClassNumbers numbers;
  for (const ClassFolder& folder : classes) numbers.emplace(folder.name, static_cast<int32_t>(numbers.size()));
  return numbers;
}

int32_t parse_label(const std::string& word, const ClassNumbers& classes, const std::string& where) {
  if (const auto found = classes.find(word); found != classes.end()) return found->second;
  int32_t label = -1;
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), label);
  if (error == std::errc() && stop == word.data() + word.size() && label >= 0 &&
      label < static_cast<int32_t>(classes.size())) {
    return label;
  }
  throw DataError(concat(where, ": expected the name of a class folder of train, or its number from 0 to ",
                         classes.size() - 1, " in sorted order, found '", word,
                         "' (the ids of ILSVRC2012's own lists run from 1 and in another order)"));
}

/// The list of labels for the files of a flat folder: a line "FILE LABEL" each, or a line "LABEL" for each file by
/// name.
std::vector<int32_t> read_labels(const std::string& list, const FileIndex& files, const ClassNumbers& classes) {
  std::ifstream file(list);
  if (!file) throw DataError(list + ": cannot be read; --val-labels names the list of labels for val");
  std::map<std::string, int32_t> by_name;
  std::vector<int32_t> labels;
  int64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first, second;
    words >> first >> second;
    ++number;
    if (first.empty()) continue;
    const std::string where = concat(list, ", line ", number);
    if (second.empty()) {
      labels.push_back(parse_label(first, classes, where));
    } else {
      by_name[fs::path(first).filename().string()] = parse_label(second, classes, where);
    }
  }
  if (by_name.empty()) {
    if (static_cast<int64_t>(labels.size()) == files.size()) return labels;
    throw DataError(
        concat(list, ": expected a label for each of the ", files.size(), " images, found ", labels.size()));
  }
  labels.clear();
  for (int64_t i = 0; i < files.size(); ++i) {
    const auto found = by_name.find(files.name(i));
    if (found == by_name.end()) throw DataError(concat(list, ": has no label for ", files.name(i)));
    labels.push_back(found->second);
  }
  return labels;
}

/// The classes of `val` by their numbers in `classes`.
std::vector<int32_t> match_labels(const FileIndex& val, const ClassNumbers& classes, const fs::path& root) {
  std::vector<int32_t> numbers;
  for (const ClassFolder& folder : val.classes) {
    const auto found = classes.find(folder.name);
    if (found == classes.end() && folder.files > 0) {
      throw DataError(concat((root / folder.name).string(), ": no class of that name in train (", classes.size(),
                             " classes); the two have to name them alike"));
    }
    numbers.push_back(found == classes.end() ? -1 : found->second);
  }
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < val.size(); ++i) labels.push_back(numbers[static_cast<size_t>(val.label(i))]);
  return labels;
}

FileIndex read_split(const fs::path& folder, const IndexProgress& progress) {
  FileIndex index = read_index(folder, index_cache_path(folder), progress);
  for (const ClassFolder& of : index.classes) {
    if (of.files == 0 && folder.filename() == "train") {
      throw DataError(concat((folder / of.name).string(), ": a class folder without images (.JPEG, .jpg, .png)"));
    }
  }
  return index;
}

DatasetPair open(const std::string& name, const fs::path& root, const OpenRequest& request) {
  const DatasetOptions& o = request.options;
  check(o.image_size >= 8 && o.image_size <= 4096, "image_size is ", o.image_size, ", expected 8 to 4096");
  ImageFolderOptions how{.protocol = parse_protocol(o.protocol), .fast_decode = o.fast_decode};

  FileIndex train, val;
  const fs::path train_root = root / "train", val_root = root / "val";
  if (is_folder(train_root)) train = read_split(train_root, o.progress);
  std::vector<int32_t> labels;
  if (!is_folder(val_root)) throw DataError(concat(val_root.string(), ": no such folder; validation images lie there"));
  if (!o.val_labels) {
    val = read_split(val_root, o.progress);
    if (val.size() == 0) {
      throw DataError(concat(val_root.string(), ": no <class>/*.JPEG in it; for images without class folders name a ",
                             "list of labels with --val-labels"));
    }
  } else {
    val = list_flat(val_root);
    if (val.size() == 0) throw DataError(concat(val_root.string(), ": no images in it, though --val-labels is given"));
  }
  const bool trains = train.size() > 0;
  const ClassNumbers classes = number(trains ? train.classes : val.classes);
  labels = !o.val_labels ? match_labels(val, classes, val_root) : read_labels(*o.val_labels, val, classes);

  DatasetInfo info;
  info.name = name;
  info.height = info.width = o.image_size;
  info.classes = static_cast<int64_t>(classes.size());
  for (const auto& [class_name, place] : classes) info.class_names.push_back(class_name);
  info.mean = {.485f, .456f, .406f};
  info.deviation = {.229f, .224f, .225f};
  DatasetPair pair;
  how.limit = o.limit_val;
  pair.val = std::make_shared<ImageFolder>(info, val_root, std::move(val), std::move(labels), how);
  how.limit = o.limit_train;
  if (trains) {
    pair.train = std::make_shared<ImageFolder>(info, train_root, std::move(train), std::vector<int32_t>{}, how);
  }
  return pair;
}

}  // namespace

DatasetPair open_imagenet(const OpenRequest& request) {
  return open("imagenet", find_root("imagenet", {request.root / "imagenet", request.root}), request);
}

DatasetPair open_folder(const OpenRequest& request) {
  return open("folder", find_root("folder", {request.root}), request);
}

}  // namespace ntq
