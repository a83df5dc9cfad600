#include "data/memory_dataset.h"

#include <utility>

#include "base/check.h"
#include "data/fingerprint.h"

namespace ntq {

MemoryDataset::MemoryDataset(DatasetInfo info, std::vector<uint8_t> pixels, std::vector<int32_t> labels)
    : info_(std::move(info)), pixels_(std::move(pixels)), labels_(std::move(labels)) {
  image_bytes_ = static_cast<size_t>(info_.height * info_.width * info_.channels);
  check(pixels_.size() == labels_.size() * image_bytes_, "MemoryDataset ", info_.name, ": ", labels_.size(),
        " labels need ", labels_.size() * image_bytes_, " bytes of pixels, found ", pixels_.size());
}

Dataset::Sample MemoryDataset::get(int64_t index) const {
  check(index >= 0 && index < size(), "MemoryDataset ", info_.name, ": index ", index, " is outside of ", size(),
        " images");
  const auto i = static_cast<size_t>(index);
  return {{pixels_.data() + i * image_bytes_, image_bytes_}, labels_[i]};
}

std::string MemoryDataset::fingerprint() const {
  std::call_once(summed_, [&] {
    Fingerprint sum;
    sum.add(pixels_.data(), pixels_.size());
    for (const int32_t label : labels_) sum.add(label);
    fingerprint_ = sum.text("crc32");
  });
  return fingerprint_;
}

}  // namespace ntq
