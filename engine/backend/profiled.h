#pragma once
// The primitives of a device, timed: what each call was, when it ran, what it computed and what it moved.
#include <chrono>
#include <functional>

#include "engine/backend/args.h"
#include "engine/device.h"

namespace ntq {

struct PrimitiveCall {
  const char* name;  ///< as the method's
  int64_t bytes;     ///< of the operands, each read or written once
  ConvGeometry conv = {};
  int64_t flop = 0;  ///< of convolutions, by direct sums, a multiplication and an addition counting two
  DType a = DType::f32, b = DType::f32, y = DType::f32;  ///< what they multiply, and give
  std::chrono::steady_clock::time_point begin = {}, end = {};
};
using PrimitiveSink = std::function<void(const PrimitiveCall&)>;

/// From now on every primitive of the device, and every copy and zeroing of its memory, is told to `sink`, in the
/// thread that called it; none: no longer. Not while the device computes. What is computed, and by what, stays the same
/// to the bit. A device that queues its work is waited for behind each call, so that the time is that of the call: its
/// runs are slower for it.
void profile_primitives(Device device, PrimitiveSink sink);

}  // namespace ntq
