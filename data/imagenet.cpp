// imagenet: <dir>/imagenet/{train,val}/<wnid>/*.JPEG, or the official flat val folder with a list of labels; folder:
// any <dir>/{train,val}/<class>/**. Classes are numbered by sorted folder name, or as DatasetOptions::class_names say.
#include <algorithm>

#include "base/text.h"
#include "data/class_names.h"
#include "data/image_folder.h"
#include "data/label_list.h"
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
  for (const fs::path& folder : candidates) {
    if (is_folder(folder / "train") || is_folder(folder / "val")) return fs::absolute(folder).lexically_normal();
  }
  const auto tried = [](const fs::path& folder) {
    return folder.string() + (is_folder(folder) ? "" : " (no such folder)");
  };
  throw DataError(concat(name, ": no data found. Looked for train/<class>/*.JPEG and val/<class>/*.JPEG in ",
                         join(candidates, ", ", tried), name == "imagenet" ? "; get ILSVRC2012 from image-net.org" : "",
                         "; --data-dir names the folder that holds them"));
}

std::vector<std::string> names_of(const FileIndex& index) {
  std::vector<std::string> names;
  for (const ClassFolder& folder : index.classes) names.push_back(folder.name);
  return names;
}

/// What is read of a split: its files, and what their labels mean.
struct Split {
  fs::path root;
  FileIndex files;
  Labels labels;
};

void notice(std::vector<std::string>& notices, std::string text) {
  if (!text.empty()) notices.push_back(std::move(text));
}

/// Labels of class folders, by the names in `classes`; those of no images need no place there.
std::vector<int32_t> match_folders(const Split& split, const std::vector<std::string>& classes) {
  std::vector<std::string> own, places;
  for (const ClassFolder& folder : split.files.classes) {
    if (folder.files > 0) own.push_back(folder.name), places.push_back((split.root / folder.name).string());
  }
  const std::vector<int32_t> matched = match_classes(own, classes, split.root.string(), places);
  std::vector<int32_t> labels;
  size_t next = 0;
  for (const ClassFolder& folder : split.files.classes) {
    if (folder.files > 0) labels.insert(labels.end(), static_cast<size_t>(folder.files), matched[next++]);
  }
  return labels;
}

Split read_class_folders(const fs::path& root, const DatasetOptions& o, std::vector<std::string>& notices) {
  Split split{root, read_index(root, o.progress), {}};
  split.labels.class_names = names_of(split.files);
  notice(notices, left_out_notice(split.files, root.string()));
  return split;
}

/// Images without class folders: the official val archive, or Tiny-ImageNet's val/images. `list` says what they are.
Split read_flat(const fs::path& root, const std::string& list, const std::vector<std::string>& classes,
                std::vector<std::string>& notices) {
  Split split{root, read_flat_index(root), {}};
  if (split.files.size() == 0) {
    throw DataError(concat(root.string(), ": no images in it, though ", list, " lists labels for them"));
  }
  std::error_code unknown;
  if (fs::equivalent(fs::path(list).parent_path(), root, unknown)) {  // the list is no image that was left out
    const auto kind = split.files.left_out.find(fs::path(list).extension().string());
    if (kind != split.files.left_out.end() && --kind->second == 0) split.files.left_out.erase(kind);
  }
  split.labels = read_label_list(list, split.files, classes);
  notice(notices, left_out_notice(split.files, root.string()));
  notices.insert(notices.end(), split.labels.notices.begin(), split.labels.notices.end());
  return split;
}

Split read_train(const fs::path& root, const DatasetOptions& o, std::vector<std::string>& notices) {
  Split split = read_class_folders(root, o, notices);
  for (const ClassFolder& of : split.files.classes) {
    if (of.files > 0) continue;
    const std::string left_out = left_out_notice(split.files, root.string());
    throw DataError(concat((root / of.name).string(), ": a class folder without images (", image_endings(), ")",
                           left_out.empty() ? "" : "; ", left_out));
  }
  if (!o.class_names.empty()) split.labels.labels = match_folders(split, o.class_names);
  return split;
}

/// `classes`: what labels have to mean; empty: what is found.
Split read_val(const fs::path& root, const std::vector<std::string>& classes, const DatasetOptions& o,
               std::vector<std::string>& notices) {
  if (!is_folder(root)) throw DataError(concat(root.string(), ": no such folder; validation images lie there"));
  if (o.val_labels) return read_flat(root, *o.val_labels, classes, notices);
  const fs::path annotations = root / "val_annotations.txt";  // Tiny-ImageNet's
  std::error_code unknown;
  if (fs::is_regular_file(annotations, unknown) && is_folder(root / "images") &&
      std::find(classes.begin(), classes.end(), "images") == classes.end()) {
    notices.push_back(concat(root.string(), ": no class folders; the labels are those of ", annotations.string()));
    return read_flat(root, annotations.string(), classes, notices);
  }
  Split split = read_class_folders(root, o, notices);
  if (split.files.size() == 0) {
    throw DataError(concat(root.string(), ": no <class>/*.JPEG in it; for images without class folders name a list of ",
                           "labels with --val-labels"));
  }
  if (!classes.empty()) split.labels.labels = match_folders(split, classes);
  return split;
}

/// Says which classes have no image in `data`.
void notice_missing(const ImageFolder& data, const fs::path& root, std::vector<std::string>& notices) {
  const std::vector<std::string>& names = data.info().class_names;
  std::vector<bool> seen(names.size());
  for (int64_t i = 0; i < data.size(); ++i) seen[static_cast<size_t>(data.label(i))] = true;
  std::vector<std::string> missing;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!seen[i]) missing.push_back(names[i]);
  }
  if (missing.empty()) return;
  notices.push_back(
      concat(root.string(), ": no images of ", some_names(missing), " out of ", names.size(), " classes"));
}

/// The classes of a list of numbers, up to `count`; names stay as they are.
void add_unseen_numbers(std::vector<std::string>& classes, int64_t count) {
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] != std::to_string(i)) return;
  }
  while (static_cast<int64_t>(classes.size()) < count) classes.push_back(std::to_string(classes.size()));
}

DatasetPair open(const std::string& name, const fs::path& root, const DatasetOptions& o) {
  check(o.image_size >= 8 && o.image_size <= 4096, "image_size is ", o.image_size, ", expected 8 to 4096");
  ImageFolderOptions how{.protocol = parse_protocol(o.protocol), .fast_decode = o.fast_decode};
  DatasetPair pair;
  Split train;
  if (is_folder(root / "train")) train = read_train(root / "train", o, pair.notices);
  const bool trains = train.files.size() > 0;
  std::vector<std::string> classes = o.class_names;
  if (classes.empty() && trains) classes = train.labels.class_names;
  Split val = read_val(root / "val", classes, o, pair.notices);
  if (classes.empty()) {
    classes = val.labels.class_names;
    if (o.val_labels) add_unseen_numbers(classes, o.class_count);
  }

  DatasetInfo info;
  info.name = name;
  info.height = info.width = o.image_size;
  info.classes = static_cast<int64_t>(classes.size());
  info.class_names = classes;
  info.mean = {.485f, .456f, .406f};
  info.deviation = {.229f, .224f, .225f};
  how.limit = o.limit_val;
  const auto of_val =
      std::make_shared<ImageFolder>(info, val.root, std::move(val.files), std::move(val.labels.labels), how);
  if (!how.limit) notice_missing(*of_val, val.root, pair.notices);
  pair.val = of_val;
  how.limit = o.limit_train;
  if (trains) {
    pair.train =
        std::make_shared<ImageFolder>(info, train.root, std::move(train.files), std::move(train.labels.labels), how);
  }
  return pair;
}

}  // namespace

DatasetPair open_imagenet(const OpenRequest& request) {
  return open("imagenet", find_root("imagenet", {request.root / "imagenet", request.root}), request.options);
}

DatasetPair open_folder(const OpenRequest& request) {
  return open("folder", find_root("folder", {request.root}), request.options);
}

}  // namespace ntq
