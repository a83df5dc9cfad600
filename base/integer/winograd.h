#pragma once
// What packing and the kernels of the integer Winograd agree on. `static`: see taps.h.
#include <stdint.h>

namespace ntq::integer {

/// Added to the transformed input, [-2 x_top, 4 x_top], so that it is not negative.
static constexpr int32_t winograd_offset(int32_t x_top) { return 2 * x_top; }
/// Tiles that an instruction set takes together, or a divisor of them.
constexpr int64_t kWinogradGroup = 6;

/// Tiles that are transformed at once, in whole groups: about 96 KiB, half of a small second-level cache.
static constexpr int64_t winograd_block(int64_t in_c) {
  const int64_t groups = (int64_t{96} << 10) / (16 * kWinogradGroup * in_c);
  return kWinogradGroup * (groups < 1 ? 1 : groups);
}

}  // namespace ntq::integer
