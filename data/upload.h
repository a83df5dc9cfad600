#pragma once
// Batches of the host on their way to a device, each while the device still computes with the one before it.
#include "data/batch.h"

namespace ntq {

/// Two batches of images have memory there: the one that is computed with and the one that comes. For one thread.
class Upload {
 public:
  explicit Upload(Device device) : device_(device) {}
  /// The same batch there; waits for nothing where it lies in pinned memory, which must not change any more. Throws
  /// DeviceError.
  Batch operator()(const Batch& batch);
  /// Gives the memory for the next batch back.
  void rest() { room_ = {}; }

 private:
  void make_room(const Shape& shape);
  Device device_;
  Tensor room_;  // nobody's from place_ in the device's queue on
  uint64_t place_ = 0;
};

}  // namespace ntq
