#pragma once
// How a convolution is computed on the CPU: a pure function of sizes, types and the width of vectors, so that it can be
// read and tested as a table. Threads never come into it, and instruction sets of up to 16 floats get the same plan.
#include <algorithm>
#include <optional>

#include "base/integer/args.h"
#include "engine/backend/backend.h"

namespace ntq::cpu {

enum class ConvAlgorithm {
  product,        ///< a matrix product that reads its rows in place
  few_channels,   ///< the same where a pixel fills no vector, as of an image: lines of a filter are read as one run;
                  ///< filter gradients are of patches that are copied together, data gradients add up those of patches
  winograd,       ///< F(4x4,3x3), winograd.h: a quarter of the multiplications
  bf16_product,   ///< as product, of pairs of bfloat16 (bf16/direct.h); codes are widened as they are read
  bf16_unfolded,  ///< the same on patches that are copied together first; filter gradients read lines instead
  bf16_winograd,  ///< F(2x2,3x3) of the same, bf16/winograd.h: 4/9 of the multiplications
  code_product,   ///< as product, of bytes with int32 sums, exact (base/integer/args.h)
  code_winograd,  ///< F(2x2,3x3) of the same, as exact
};

/// Winograd's 4x4 tiles: `parts` of them, each of which one thread takes through all phases, `pass` tiles at a time,
/// while they stay in its cache; or one part, whose phases all threads share: few tiles, many channels.
struct TileSchedule {
  int64_t parts = 1, pass = 1;
  /// Of `tiles`, where a part begins; parts of one pass have all `pass` tiles but the last, as the kernels like it,
  /// longer ones share evenly.
  int64_t begin(int64_t part, int64_t tiles) const {
    return parts * pass >= tiles ? std::min(part * pass, tiles) : tiles * part / parts;
  }
};

struct ConvPlan {
  ConvAlgorithm algorithm = ConvAlgorithm::product;
  ConvGeometry g;  ///< of the product: one line of pixels for a 1x1 convolution, of patches for gradients by them
  /// Of a filter gradient by product: so many parts of the pixels get sums of their own, joined in their order, and so
  /// many groups of output channels, and in bfloat16 of taps and input channels, are tasks of their own.
  int64_t parts = 1, channel_groups = 1;
  TileSchedule tiles;  ///< of Winograd; parts of a filter gradient have sums of their own, joined in their order
  int64_t tap_groups = 1;
};

/// Of input, filters and output, or of their gradients where the pass has those.
struct ConvTypes {
  DType x = DType::f32, w = DType::f32, y = DType::f32;
};

/// Whether a view of this type may be what the pass reads first: x, or dy of a data gradient.
bool has_conv(ConvPass pass, DType type);

/// `width`: floats of a vector. Throws std::invalid_argument for types and groups that no kernel has. Filters are
/// float32. What is read as bfloat16 or given as such is computed in bfloat16; codes (u8, i8) against float32 are not.
ConvPlan plan_conv(const ConvGeometry& g, ConvPass pass, ConvTypes types, int width);

/// Of a forward product of codes, where it is one of integers; nothing: what they stand for is multiplied, by
/// plan_conv().
std::optional<ConvAlgorithm> plan_codes(const ConvGeometry& g, const CodeConv& codes);
integer::ConvShape shape_of(const ConvGeometry& g);

}  // namespace ntq::cpu
