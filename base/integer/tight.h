#pragma once
// What packing and the kernels agree on for images of three channels: copied without the byte that fills up a pixel,
// and with their border, a row of taps is one run of bytes, so that no quad holds less than four of them and no tap
// lies outside. `static`: see taps.h.
#include "base/integer/args.h"

namespace ntq::integer {

constexpr int64_t kTightChannels = 3;

/// Quads of a row of taps.
static inline int64_t tight_quads(const ConvShape& s) { return (s.kernel_w * kTightChannels + kQuad - 1) / kQuad; }
static inline int64_t tight_height(const ConvShape& s) { return s.in_h + 2 * s.pad; }
static inline int64_t tight_width(const ConvShape& s) { return s.in_w + 2 * s.pad; }
/// Bytes of an image; the last row of taps may read one quad more.
static inline int64_t tight_bytes(const ConvShape& s) {
  return tight_height(s) * tight_width(s) * kTightChannels + kQuad;
}

}  // namespace ntq::integer
