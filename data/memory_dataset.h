#pragma once
// A data set held in memory: one byte per value, images back to back.
#include <mutex>

#include "data/dataset.h"

namespace ntq {

class MemoryDataset final : public Dataset {
 public:
  /// `pixels` {N,H,W,C}, `labels` {N}; throws std::invalid_argument when they do not fit `info`.
  MemoryDataset(DatasetInfo info, std::vector<uint8_t> pixels, std::vector<int32_t> labels);
  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  Sample get(int64_t index) const override;
  std::span<const uint8_t> all_pixels() const override { return pixels_; }
  const DatasetInfo& info() const override { return info_; }
  std::string fingerprint() const override;

 private:
  DatasetInfo info_;
  std::vector<uint8_t> pixels_;
  std::vector<int32_t> labels_;
  size_t image_bytes_ = 0;
  mutable std::once_flag summed_;
  mutable std::string fingerprint_;
};

}  // namespace ntq
