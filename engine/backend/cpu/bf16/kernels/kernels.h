#pragma once
// The serial kernels of convolutions in bfloat16, of one instruction set: products of pairs summed in float32. All
// instruction sets give the same bits, those without such an instruction too (dot.h): each sum takes its pairs in their
// order, whatever the width of a vector and the blocks that a kernel cuts them into.
#include <string>

#include "base/bf16.h"
#include "engine/backend/args.h"

namespace ntq::bf16 {

/// What filters see of images {N,h,w,c}, as matrix rows. Row (n,i,j) of a grid is `taps_h` runs of taps_w * c
/// neighbouring values, of which the first begins at pixel (step i + h0, step j + w0), each next one a line below;
/// zeros outside of the image. Pairs are of two values of a run, an odd last one with zero.
struct Windows {
  const BFloat16* x;
  const BFloat16* x_end;  // beyond which nothing is read
  int64_t h, w, c;
  int64_t batch, grid_h, grid_w, step, h0, w0, taps_h, taps_w;
  bool unfolded;  // all runs of a row are one: few channels
  int64_t rows() const { return batch * grid_h * grid_w; }
  int64_t runs() const { return unfolded ? 1 : taps_h; }
  int64_t run() const { return taps_w * c * (unfolded ? taps_h : 1); }
};

/// y[row] = sum over the row's values of value * packed[value]; row (n,i,j) writes pixel (y_h0 + y_step i, y_w0 +
/// y_step j) of y {N,y_h,y_w,y_c}.
struct Product {
  Windows x;
  void* y;
  DType y_type;  // bf16, f32
  int64_t y_h, y_w, y_c, y_h0, y_w0, y_step;
  const BFloat16* packed;  // {panels of y_c, runs, pairs of a run, panel width, 2}
};

/// `rows` filters of `length` neighbouring values, scaled.
struct FilterRows {
  const float* w;
  int64_t row_stride, rows, length;
  float scale;
};
/// Values of n channels, scaled, `odd` or zeros beside them.
struct FilterPair {
  const float *even, *odd;
  int64_t n;
  float scale;
};

/// Filter gradient over rows: sums {runs, panels of a run, dy_c, panel width} of dy[row] times value. Pairs are of two
/// rows.
struct Outer {
  Windows x;
  const BFloat16* dy;  // {rows, dy_c}
  int64_t dy_c;
};

/// A part of a filter gradient.
struct OuterRange {
  int64_t row, row_end;      // from an even row on
  int64_t co, co_end;        // channels of dy
  int64_t panel, panel_end;  // of all runs
};

/// Images {batch,h,w,channels} that Winograd's F(2x2,3x3) takes in 2x2 tiles, numbered along rows, then images; those
/// at odd borders are cut. Channels are whole blocks of kChannelBlock.
struct TiledImages {
  int64_t batch, h, w, channels;
};
constexpr int64_t kChannelBlock = 16;
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
  float scale;  // of w
};
/// y = A^T [sum over in_c of v * u] A, float32 or bfloat16, for tiles whose transforms v begins with.
struct WinogradProduct {
  const BFloat16 *v, *u;
  int64_t in_c;
  TiledImages images;  // of y
  View y;
};
/// Tiles that a filter gradient sums over at once, in pairs: the two numbers of a dot product. A transform of them is
/// {channels / kPairBlock, 16, pair_stride(), kPairBlock, 2}, the last block as narrow as it is.
struct TilePairs {
  int64_t first, tiles;
};
constexpr int64_t kPairBlock = 32;
struct PairProduct {
  const BFloat16 *d, *v;
  int64_t pairs, in_c, out_c;
};

struct Kernels {
  const char* name;
  int width;       // floats of a vector
  int panel;       // width of a packed panel of output channels
  int block_rows;  // that share what is gathered once
  /// sums[i] += a[2i+1] b[2i+1], then += a[2i] b[2i], over n sums: the step that all products are made of.
  void (*dot)(const BFloat16* a, const BFloat16* b, float* sums, int64_t n);

  /// One panel of one run, to {pairs, panel width, 2}.
  void (*pack_rows)(const FilterRows& rows, BFloat16* to);
  /// One pair of all panels, `panel_stride` apart.
  void (*pack_pair)(const FilterPair& pair, BFloat16* to, int64_t panel_stride);

  /// Codes, u8 or i8, which bfloat16 holds as they are.
  void (*widen)(const void* codes, DType type, int64_t n, BFloat16* to);

  /// Rows [begin, end) of panels [panel, panel_end). `scratch` holds product_scratch() bytes.
  void (*product)(const Product& p, int64_t begin, int64_t end, int64_t panel, int64_t panel_end, void* scratch);
  int64_t (*product_scratch)(const Product& p, int64_t panels);

  /// Gives the sums of a part. `scratch` holds outer_scratch() bytes.
  void (*outer)(const Outer& p, const OuterRange& range, float* sums, void* scratch);
  int64_t (*outer_scratch)(const Outer& p, const OuterRange& range);

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
  void (*winograd_outer)(const PairProduct& p, int64_t begin, int64_t end, float* dw);

  /// Filter gradient of few channels: sums {panels of dy_c, taps_h, values of a tap line, panel width} of lines [line,
  /// line_end) of the grid. Pairs are of two rows of a line; where one is left over, what is no number may reach taps
  /// that do not see it. `scratch` holds outer_lines_scratch() bytes.
  void (*outer_lines)(const Outer& p, int64_t line, int64_t line_end, float* sums, void* scratch);
  int64_t (*outer_lines_scratch)(const Outer& p);
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
void fill_pack(Kernels& table);
void fill_product(Kernels& table);
void fill_outer(Kernels& table);
void fill_outer_lines(Kernels& table);
void fill_winograd(Kernels& t);
void fill_winograd_filters(Kernels& t);
void fill_winograd_grad(Kernels& t);
}  // namespace ntq::bf16::NTQ_ISA
#endif
