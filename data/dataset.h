#pragma once
// Dataset: images as bytes, and labels. Built by name.
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ntq {

struct DatasetInfo {
  std::string name;
  int64_t height = 32, width = 32, channels = 3, classes = 10;
  std::array<float, 3> mean{}, deviation{};  ///< of values in [0, 1], per channel
  bool flip = true;                          ///< whether mirroring keeps the label
};

/// Random access; get() may be called from several threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  struct Sample {
    std::span<const uint8_t> pixels;  ///< {H,W,C}
    int32_t label;
  };
  virtual Sample get(int64_t index) const = 0;
  virtual const DatasetInfo& info() const = 0;
};

struct DatasetPair {
  std::shared_ptr<Dataset> train, val;
};

/// `name`: cifar10, cifar100, fashion-mnist, synthetic. `dir` is searched for the standard folder names (an empty `dir`
/// means $NTQ_DATA_DIR, else ./datasets; fashion-mnist also looks where Debian's package lays it). `limit_*` > 0 keeps
/// only the first so many images. Throws DataError saying what was looked for and where to get it, or
/// std::invalid_argument for an unknown name.
DatasetPair open_dataset(const std::string& name, const std::string& dir = {}, int64_t limit_train = 0,
                         int64_t limit_val = 0);
std::vector<std::string> dataset_names();

}  // namespace ntq
