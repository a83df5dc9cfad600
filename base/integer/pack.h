#pragma once
// Weights as the kernels read them, packed once when a network is loaded, or panel by panel at every step of training.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/integer/args.h"

namespace ntq::integer {

/// Bytes from a 64-byte boundary on, zeros at first.
class AlignedBytes {
 public:
  explicit AlignedBytes(size_t size = 0);
  uint8_t* data() const { return bytes_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(uint8_t* bytes) const;
  };
  std::unique_ptr<uint8_t, Free> bytes_;
  size_t size_ = 0;
};

/// What codes a convolution has, for the choice of its kernel.
struct CodeBounds {
  int32_t zero = 0;     ///< the byte of x that stands for 0
  int32_t x_top = 255;  ///< largest byte of x
  int32_t w_top = 128;  ///< largest |w|
};

/// Whether Winograd's F(2x2,3x3) has these sums, which it then has faster: 3x3, stride 1, from 16 channels to 16 on and
/// in whole sixteens, bytes up to 31 and weights in [-8, 8]. Both kernels give the same bits.
bool uses_winograd(const ConvShape& shape, const CodeBounds& bounds);

/// Whether direct sums are faster for so few output pixels, of all images, though Winograd has this convolution: its
/// weights are read for these alone, from beyond the core's own cache, and are 16 bytes where direct ones are 9.
bool prefers_direct(const ConvShape& shape, int64_t pixels);

/// Whether direct sums of an image's copy without filled up pixels (base/integer/tight.h) take fewer products: three
/// channels of four, from four taps in a row on. Weights {out_c, kernel_h, kernel_w, in_c}.
bool uses_tight(const ConvShape& shape, std::span<const int8_t> codes);

/// Whether int32 holds every sum: kernel_h * kernel_w * in_c * max(x_top - zero, zero) * w_top < 2^31, and so what is
/// between (bytes, not codes: x_top; Winograd's 4 times the sum).
bool sums_fit(const ConvShape& shape, const CodeBounds& bounds);

struct PackedWeights {
  bool winograd = false, tight = false;
  /// Direct: {panel, tap, in_c / kQuad, kPanel, kQuad}. Winograd: {panel, row of the transform 1 2 0 3, columns (1, 2)
  /// or (0, 3), in_c / kQuad, 2 columns, kPanel, kQuad}. Tight: {panel, kernel_h, quads of a row, kPanel, kQuad}.
  /// Channels beyond out_c are 0.
  AlignedBytes weights;
  std::vector<int32_t> start;  ///< Conv::start; empty: null
};

/// From codes {out_c, kernel_h, kernel_w, in_c}, by uses_winograd() and uses_tight(): that one not where the epilogue
/// shifts by taps.
PackedWeights pack(const ConvShape& shape, const CodeBounds& bounds, std::span<const int8_t> codes, bool by_taps);
PackedWeights pack_direct(const ConvShape& shape, const CodeBounds& bounds, std::span<const int8_t> codes);
PackedWeights pack_tight(const ConvShape& shape, const CodeBounds& bounds, std::span<const int8_t> codes);
PackedWeights pack_winograd(const ConvShape& shape, const CodeBounds& bounds, std::span<const int8_t> codes);

/// The same without a look at the codes, into memory of the caller's, from a 64-byte boundary on: a panel of kPanel
/// output channels at a time, so that threads may share them. Of pack_winograd() with its start {panels, 4 kPanel}.
size_t direct_bytes(const ConvShape& shape);
size_t winograd_bytes(const ConvShape& shape);
void pack_direct_panel(const ConvShape& shape, const int8_t* codes, int64_t panel, uint8_t* weights);
void pack_winograd_panel(const ConvShape& shape, const CodeBounds& bounds, const int8_t* codes, int64_t panel,
                         uint8_t* weights, int32_t* start);

/// Of FloatConv, {panel, tap, channels, kPanel} floats, from {up to out_c, kernel_h, kernel_w, channels}.
AlignedBytes pack_floats(const ConvShape& shape, int64_t channels, std::span<const float> weights);

/// The runs of an axis (base/integer/taps.h), in order.
std::vector<TapRun> runs_of(const Axis& axis);
/// Sums of the codes {out_channels, kernel_h, kernel_w, channels} over the taps inside, for each set of them: {runs of
/// rows, runs of columns, shape.out_c in whole panels}, 0 for the channels that fill up.
std::vector<int32_t> sums_inside(const ConvShape& shape, std::span<const int8_t> codes, int64_t out_channels,
                                 int64_t channels);

/// Bytes of scratch that Kernels::winograd needs for this shape; 64 more where the caller aligns them.
size_t winograd_scratch(const ConvShape& shape);

/// The same for Kernels::tight.
size_t tight_scratch(const ConvShape& shape);

/// Numbers of scratch that Kernels::window_sums needs.
size_t window_scratch(const ConvShape& shape);

Part whole_work(const ConvShape& shape, int64_t images);
/// The share `index` of `count` nearly equal ones, cut along what divides best: images, rows or panels. May be empty.
Part share_of(const Part& work, int64_t index, int64_t count);

}  // namespace ntq::integer
