#pragma once
// Dataset: images and labels by index. Built by name.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"

namespace ntq {

struct DatasetInfo {
  std::string name;
  int64_t height = 32, width = 32, channels = 3, classes = 10;  ///< of what load() gives
  std::array<float, 3> mean{}, deviation{};                     ///< of values in [0, 1], per channel
  bool flip = true;                                             ///< whether mirroring keeps the label
  bool decodes = false;  ///< samples are decoded from files: loading them takes a core, not a moment
  std::vector<std::string> class_names = {};  ///< in the order of the labels; of the built-in sets always `classes`
};

/// An image that cannot be read or decoded. A loader may skip some of them.
struct BadImageError : DataError {
  using DataError::DataError;
};

struct Augmentation;
class Transform;

/// How load() changes a sample on its way to the network.
struct LoadContext {
  const Transform& transform;  ///< normalisation of the data set's info()
  bool augment = false;
  int pad = 4;  ///< of small images: pixels of black around them, out of which a window is cut
  uint64_t seed = 0;
  int64_t epoch = 0;
  /// The draw for a small image of a set.
  Augmentation augmentation(const DatasetInfo& of, int64_t index) const;
};

/// Random access; get() and load() may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  struct Sample {
    std::span<const uint8_t> pixels;  ///< {H,W,C}
    int32_t label;
  };
  /// Pixels of the size that info() says, before any augmentation.
  virtual Sample get(int64_t index) const = 0;
  /// The same, looked at: throws DataError for samples that do not fit info().
  Sample checked(int64_t index) const;
  /// The pixels of all samples, back to back, of sets that hold them, whose load() is this class's; of others nothing.
  virtual std::span<const uint8_t> all_pixels() const { return {}; }
  /// Writes what the network sees of the sample, {H,W,C} float32, and gives its label. A pure function of the index and
  /// of the context's seed and epoch. Throws DataError for samples that do not fit info().
  virtual int32_t load(int64_t index, const LoadContext& context, float* out) const;
  virtual const DatasetInfo& info() const = 0;
  /// Tells data sets apart, whatever their place and times: "crc32:xxxxxxxx" of all bytes of pixels, then labels
  /// (int32, little-endian), of sets held in memory; "list:xxxxxxxx" of class, name and size in bytes of each file of
  /// photographs. Of what limits left. "": unknown. May be called from several threads at once.
  virtual std::string fingerprint() const { return {}; }
};

struct DatasetPair {
  std::shared_ptr<Dataset> train, val;    ///< train: null where only a val folder is there
  std::vector<std::string> notices = {};  ///< a line each: what was left out, or is odd
};

struct DatasetOptions {
  std::optional<std::string> dir = {};  ///< searched for the standard folder names; else $NTQ_DATA_DIR, else ./datasets
  /// Keep the first so many images, 1 or more; of sets that lie in class folders, so many at equal distances.
  std::optional<int64_t> limit_train = {}, limit_val = {};
  /// For the normalisation, instead of the set's own; deviations are above 0.
  std::optional<std::array<float, 3>> mean = {}, deviation = {};
  /// What labels have to mean: classes in order, as a checkpoint has them. The data's own classes are matched by name;
  /// one that is not among these is a DataError. Empty: the data's own.
  std::vector<std::string> class_names = {};
  /// Where these are empty: how many classes a list of numbers has at least, whether it names the last ones or not.
  int64_t class_count = 0;

  // Of photographs (imagenet, folder):
  std::string protocol = "paper";  ///< or "field": data/crop.h
  int64_t image_size = 224;        ///< side of what the network sees
  bool fast_decode = false;        ///< decode large JPEGs at a half, a quarter or an eighth: faster, other pixels
  std::optional<std::string> val_labels = {};  ///< list of labels for a `val` folder without class folders
  /// Called while a folder is read for the first time: images found so far, class folders read, and of how many.
  std::function<void(int64_t, int64_t, int64_t)> progress = {};
};

/// `name`: cifar10, cifar100, fashion-mnist, imagenet, folder (any <dir>/{train,val}/<class>/*), synthetic.
/// Fashion-MNIST is also looked for where Debian's package lays it. Throws DataError saying what was looked for and
/// where to get it, or std::invalid_argument for an unknown name or option.
DatasetPair open_dataset(const std::string& name, const DatasetOptions& options);
DatasetPair open_dataset(const std::string& name, std::optional<std::string> dir = {},
                         std::optional<int64_t> limit_train = {}, std::optional<int64_t> limit_val = {});
std::vector<std::string> dataset_names();

}  // namespace ntq
