#pragma once
// What packing and the kernels of the integer Winograd agree on. `static`: see taps.h.
#include <stdint.h>

namespace ntq::integer {

/// Added to the transformed input, [-62, 124] for bytes up to 31, so that it fits bytes without sign.
constexpr int32_t kWinogradOffset = 64;
/// Tiles that an instruction set takes together, or a divisor of them.
constexpr int64_t kWinogradGroup = 6;

/// Tiles that are transformed at once, in whole groups: about 96 KiB, half of a small second-level cache.
static constexpr int64_t winograd_block(int64_t in_c) {
  const int64_t groups = (int64_t{96} << 10) / (16 * kWinogradGroup * in_c);
  return kWinogradGroup * (groups < 1 ? 1 : groups);
}

}  // namespace ntq::integer
