// Fashion-MNIST (https://github.com/zalandoresearch/fashion-mnist): four IDX files, plain or gzip.
#include <algorithm>

#include "data/class_names.h"
#include "data/files.h"
#include "data/idx.h"
#include "data/memory_dataset.h"
#include "data/sources.h"

namespace ntq {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kSide = 28, kClasses = 10;

/// The plain file, or else the compressed one.
fs::path pick(const fs::path& folder, const std::string& name) {
  std::error_code missing;
  return fs::exists(folder / name, missing) ? folder / name : folder / (name + ".gz");
}

std::shared_ptr<Dataset> load(const fs::path& folder, const std::string& part, const std::optional<int64_t>& limit,
                              const std::vector<std::string>& classes) {
  const fs::path image_path = pick(folder, part + "-images-idx3-ubyte");
  const fs::path label_path = pick(folder, part + "-labels-idx1-ubyte");
  const int64_t sides[] = {kSide, kSide};
  const IdxFile label_file = read_idx(label_path, {});
  IdxFile images = read_idx(image_path, sides);
  if (images.count != label_file.count) {
    throw DataError(concat(image_path.string(), ": ", images.count, " images, but ", label_path.string(), " has ",
                           label_file.count, " labels; the two belong to different data sets"));
  }
  std::vector<int32_t> labels(label_file.values.begin(), label_file.values.end());
  const auto bad = std::find_if(labels.begin(), labels.end(), [](int32_t label) { return label >= kClasses; });
  if (bad != labels.end()) {
    throw DataError(concat(label_path.string(), ": record ", bad - labels.begin(), ": label ", *bad, ", expected 0 to ",
                           kClasses - 1, "; the file is damaged or another data set's"));
  }
  const auto keep = static_cast<size_t>(limited(images.count, limit));
  labels.resize(keep);
  images.values.resize(keep * static_cast<size_t>(kSide * kSide));
  images.values.shrink_to_fit();
  DatasetInfo info{"fashion-mnist", kSide, kSide, 1, kClasses, {.2860f}, {.3530f}, true};
  info.class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                      "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  relabel(info, labels, classes);
  return std::make_shared<MemoryDataset>(std::move(info), std::move(images.values), std::move(labels));
}

}  // namespace

DatasetPair open_fashion_mnist(const OpenRequest& request) {
  std::vector<std::string> files;
  for (const char* part : {"train", "t10k"}) {
    for (const char* kind : {"-images-idx3-ubyte", "-labels-idx1-ubyte"}) {
      files.push_back(concat(part, kind));
      files.push_back(concat(part, kind, ".gz"));
    }
  }
  const fs::path folder = find_folder("fashion-mnist",
                                      {request.root / "fashion-mnist", request.root / "FashionMNIST/raw", request.root,
                                       "/usr/share/datasets/fashion-mnist"},
                                      files,
                                      "Install Debian's package dataset-fashion-mnist, or put the four files of "
                                      "https://github.com/zalandoresearch/fashion-mnist into the first of these, or "
                                      "name another folder with --data-dir or NTQ_DATA_DIR.");
  const DatasetOptions& o = request.options;
  return {load(folder, "train", o.limit_train, o.class_names), load(folder, "t10k", o.limit_val, o.class_names)};
}

}  // namespace ntq
