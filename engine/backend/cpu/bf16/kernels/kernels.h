#pragma once
// The serial kernels of convolutions in bfloat16, of one instruction set: products of pairs summed in float32. All
// instruction sets give the same bits, those without such an instruction too (dot.h).
#include <string>

#include "base/bf16.h"
#include "engine/backend/args.h"

namespace ntq::bf16 {

/// Images {batch,h,w,channels} that Winograd's F(2x2,3x3) takes in 2x2 tiles, numbered along rows, then images; those
/// at odd borders are cut. Channels are whole blocks of kBlock.
struct TiledImages {
  int64_t batch, h, w, channels;
};
constexpr int64_t kBlock = 16;
/// What Winograd reads: bfloat16, or codes as whole numbers; `zeros`: `channels` of that type, for what lies outside.
struct TiledInput {
  TiledImages images;
  ConstView x;
  const void* zeros;
};
/// Filters {out,3,3,in}, or {in,3,3,out} turned by half a turn: those of the data gradient.
struct WinogradFilters {
  const float* w;
  int64_t in_c, out_c;
  bool turned;
};
/// y = A^T [sum over in_c of v * u] A, float32 or bfloat16, for tiles whose transforms v begins with.
struct WinogradProduct {
  const BFloat16 *v, *u;
  int64_t in_c;
  TiledImages images;  // of y
  View y;
};
/// Tiles that a filter gradient sums over at once, in pairs: the two numbers of a dot product. A transform of them is
/// {channels / kBlock, 16, pair_stride(), kBlock, 2}.
struct TilePairs {
  int64_t first, tiles;
};

struct Kernels {
  const char* name;
  int width;  // floats of a vector
  /// sums[i] += a[2i+1] b[2i+1], then += a[2i] b[2i], over n sums: the step that all products are made of.
  void (*dot)(const BFloat16* a, const BFloat16* b, float* sums, int64_t n);

  // Winograd's F(2x2,3x3): winograd.cpp, winograd_filters.cpp, winograd_grad.cpp.
  int64_t winograd_group;  // tiles that are multiplied together
  int64_t winograd_panel;  // output channels of a panel
  /// One panel of u, 16 * in_c * winograd_panel numbers each.
  void (*winograd_filters)(const WinogradFilters& filters, int64_t panel, BFloat16* u);
  /// v = B^T d B of tiles [begin, end), 16 * in_c numbers each, in whole groups from `begin` on.
  void (*winograd_input)(const TiledInput& input, int64_t begin, int64_t end, BFloat16* v);
  void (*winograd_product)(const WinogradProduct& p, int64_t begin, int64_t end, int64_t panel_begin,
                           int64_t panel_end);
  /// v = B^T d B and d = A dY A^T of pairs [begin, end) of `tiles`.
  void (*winograd_pairs)(const TiledInput& input, const TilePairs& tiles, int64_t begin, int64_t end, BFloat16* v);
  void (*winograd_grad_pairs)(const TiledInput& dy, const TilePairs& tiles, int64_t begin, int64_t end, BFloat16* d);
  /// dw {out_c,3,3,in_c} += G^T [sum over pairs of d * v] G for blocks [begin, end) of output channels.
  void (*winograd_outer)(const BFloat16* d, const BFloat16* v, int64_t pairs, int64_t in_c, int64_t begin, int64_t end,
                         float* dw);
};

/// Of a transform of so many pairs: one more, since positions 4 KiB apart would share a set of the first-level cache.
static constexpr int64_t pair_stride(int64_t pairs) { return pairs + 1; }

/// Those of an instruction set by its name; throws DeviceError as isa_index() does (base/isa.h).
const Kernels& kernels_of(const std::string& isa);
/// Those of chosen_isa(IsaList::bf16), the same for the whole process.
const Kernels& chosen_kernels();

}  // namespace ntq::bf16

#ifdef NTQ_ISA
namespace ntq::bf16::NTQ_ISA {
const Kernels& kernels();
void fill_winograd(Kernels& t);
void fill_winograd_filters(Kernels& t);
void fill_winograd_grad(Kernels& t);
}  // namespace ntq::bf16::NTQ_ISA
#endif
