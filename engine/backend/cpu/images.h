#pragma once
// Images of float32 convolutions as they lie in memory, and what the rows of a product see of them.
#include <algorithm>
#include <optional>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu {

/// Floats, or where these are null codes.
struct Images {
  const float* x = nullptr;
  SteppedCodes codes = {};
};

inline void decode(const Kernels& k, const SteppedCodes& from, int64_t at, int64_t n, float* to) {
  k.f32.decode(from.codes + at, from.is_signed, from.step, to, n);
}

/// What the rows of a product are gathered from: `depth` values for each tap, `pitch` from a pixel to the next.
struct Source {
  Images images;
  int64_t h, w, depth, pitch;
  std::vector<Tap> taps;
  int64_t tap_count() const { return static_cast<int64_t>(taps.size()); }
};

/// What some rows of a product see of its source, as floats: codes are decoded for as long as this lives.
class Seen {
 public:
  Seen(Backend& backend, const Kernels& k, const Source& s, const ConvGeometry& g, int64_t begin, int64_t end)
      : x_(s.images.x) {
    if (x_ || begin >= end || s.taps.empty()) return;
    const int64_t first = place(s, g, begin, s.taps.front(), 0);
    const int64_t n = std::max<int64_t>(0, place(s, g, end - 1, s.taps.back(), 1) - first);
    decoded_.emplace(backend, n);
    decode(k, s.images.codes, first, n, decoded_->data());
    x_ = decoded_->data() - first;
  }
  /// Of floats, which nobody has to decode.
  explicit Seen(const float* x) : x_(x) {}
  /// Where the source would begin.
  const float* x() const { return x_; }

 private:
  /// Where the first value lies that a row sees by its first tap, or behind the last by its last. Of several lines all
  /// columns count.
  static int64_t place(const Source& s, const ConvGeometry& g, int64_t row, const Tap& tap, int64_t behind) {
    const int64_t line = row / g.out_w, image = line / g.out_h;
    const int64_t h = std::clamp<int64_t>(line % g.out_h * g.stride + tap.dh + behind, 0, s.h);
    if (s.h != 1 || g.out_h > 1) return (image * s.h + h) * s.w * s.pitch;
    return (image * s.w + std::clamp<int64_t>(row % g.out_w * g.stride + tap.dw + behind, 0, s.w)) * s.pitch;
  }
  const float* x_;
  std::optional<Scratch> decoded_;
};

}  // namespace ntq::cpu
