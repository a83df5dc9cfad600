#pragma once
// Shuffling, augmentation and normalisation: pure functions of (seed, epoch, index).
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace ntq {

/// A permutation of 0 ... size-1 (Fisher-Yates); size <= 2^31, epoch in [0, 2^32).
std::vector<uint32_t> epoch_order(uint64_t seed, int64_t epoch, int64_t size);

/// A window of the image's own size within the image padded by `pad` zero (black) pixels on each side, then mirrored
/// left to right or not. As made: the image as it is.
struct Augmentation {
  int pad = 0;
  int top = 0, left = 0;  ///< corner of the window, each in [0, 2 pad]
  bool mirror = false;
  bool operator==(const Augmentation&) const = default;
};

/// The draw for sample `index` in `epoch`; mirrors half of the samples when `may_mirror`.
Augmentation draw_augmentation(uint64_t seed, int64_t epoch, int64_t index, int pad, bool may_mirror);

/// Pixels {H,W,C} of one sample to float {H,W,C}: augmented, scaled to [0, 1], minus mean, by deviation.
class Transform {
 public:
  /// Throws std::invalid_argument unless channels are 1 to 3 and every size and deviation is positive.
  explicit Transform(const DatasetInfo& info);
  void operator()(const uint8_t* pixels, const Augmentation& augmentation, float* out) const;
  /// One row of `count` pixels {count,4} (red, green, blue, anything) to float {count,3}, mirrored or not. For sets of
  /// 3 channels. Computed, not looked up as operator() does: three times as fast here, and a rounding apart.
  void row(const uint8_t* rgbx, int64_t count, bool mirror, float* out) const;
  /// {channels,256}: what operator() makes of each byte.
  std::span<const float> values() const { return {table_.front().data(), static_cast<size_t>(256 * channels_)}; }

 private:
  int64_t height_, width_, channels_;
  std::array<std::array<float, 256>, 3> table_{};  ///< normalised value of each byte, per channel
  std::array<float, 3> scale_{}, shift_{};         ///< the same as a line
};

}  // namespace ntq
