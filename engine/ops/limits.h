#pragma once
// What geometries may ask for.
#include <cstdint>

namespace ntq {

/// Kernel, stride and padding, in pixels: sums of them stay far from overflow.
constexpr int64_t kFarthest = int64_t{1} << 30;

}  // namespace ntq
