#pragma once
// A data set held in memory: one byte per value, images back to back.
#include <utility>

#include "data/dataset.h"
#include "engine/check.h"

namespace ntq {

class MemoryDataset final : public Dataset {
 public:
  /// `pixels` {N,H,W,C}, `labels` {N}; throws std::invalid_argument when they do not fit `info`.
  MemoryDataset(DatasetInfo info, std::vector<uint8_t> pixels, std::vector<int32_t> labels)
      : info_(std::move(info)), pixels_(std::move(pixels)), labels_(std::move(labels)) {
    image_bytes_ = static_cast<size_t>(info_.height * info_.width * info_.channels);
    check(pixels_.size() == labels_.size() * image_bytes_, "MemoryDataset ", info_.name, ": ", labels_.size(),
          " labels need ", labels_.size() * image_bytes_, " bytes of pixels, found ", pixels_.size());
  }
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  Sample get(int64_t index) const override {
    check(index >= 0 && index < size(), "MemoryDataset ", info_.name, ": index ", index, " is outside of ", size(),
          " images");
    const auto i = static_cast<size_t>(index);
    return {{pixels_.data() + i * image_bytes_, image_bytes_}, labels_[i]};
  }
  const DatasetInfo& info() const override { return info_; }

 private:
  DatasetInfo info_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_;
  size_t image_bytes_ = 0;
};

}  // namespace ntq
