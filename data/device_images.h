#pragma once
// A data set in the memory of a device, as bytes, and batches made of it there: the bits of Dataset::load(), for which
// the host draws a few numbers an image.
#include <memory>
#include <span>

#include "data/batch.h"
#include "data/dataset.h"

namespace ntq {

class DeviceImages {
 public:
  /// Null for sets that do not hold their pixels, that would take more than a quarter of what the device has free, and
  /// where it cannot make batches. Throws DeviceError.
  static std::unique_ptr<DeviceImages> of(const Dataset& dataset, const Transform& transform, Device device);
  /// Of the samples `which`, on the device; waits for nothing. Throws as Dataset::checked().
  Batch batch(std::span<const uint32_t> which, const LoadContext& context) const;

 private:
  DeviceImages(const Dataset& dataset, const Transform& transform, Device device);
  const Dataset& dataset_;
  Device device_;
  Tensor pixels_, values_;
};

}  // namespace ntq
