#pragma once
// Which windows of a pool or filters of a convolution see a part of an image.
#include <algorithm>

#include "base/ceil_div.h"

namespace ntq::cpu {

/// Places [begin, end) of an axis.
struct Places {
  int64_t begin, end;
};
/// How windows pass over an axis.
struct WindowAxis {
  int64_t kernel, stride, pad, windows;
};
/// The windows that see at least one of the places.
inline Places seen_by(const WindowAxis& axis, Places places) {
  const int64_t first = places.begin + axis.pad - axis.kernel + 1;
  return {first <= 0 ? 0 : ceil_div(first, axis.stride),
          std::min(axis.windows, (places.end - 1 + axis.pad) / axis.stride + 1)};
}

}  // namespace ntq::cpu
