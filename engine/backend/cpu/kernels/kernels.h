#pragma once
// The serial kernels of one instruction set, as a table of functions on pointers and sizes. cpu_backend cuts work into
// ranges and calls them from its threads; whatever a kernel computes for an element never depends on the range.
#include <string>

#include "engine/backend/args.h"

namespace ntq::cpu {

/// One filter tap of a gathered product: where its source pixel lies relative to the row's.
struct Tap {
  int64_t dh, dw;
};

/// y[row] = sum over taps and channels of x[source pixel][c] * packed[tap][c]: a convolution without copying its input.
/// Rows are the pixels of a grid (batch, grid_h, grid_w); row (n,i,j) writes destination pixel (y_h0 + y_step i,
/// y_w0 + y_step j) and reads source pixel (x_step i + dh, x_step j + dw), zeros outside of the image.
struct GatherProduct {
  const float* x = nullptr;
  int64_t x_h = 1, x_w = 1, x_c = 1, x_pitch = 1;  // x_pitch: from a pixel to the next, of which x_c floats are read
  float* y = nullptr;
  int64_t y_h = 1, y_w = 1, y_c = 1;
  int64_t batch = 1, grid_h = 1, grid_w = 1;
  int64_t y_h0 = 0, y_w0 = 0, y_step = 1, x_step = 1;
  const Tap* taps = nullptr;
  int64_t tap_count = 0;
  const float* packed = nullptr;  // {panels of y_c, taps, x_c, panel width}
  const float* zeros = nullptr;   // x_c of them
  int64_t rows() const { return batch * grid_h * grid_w; }
};

/// Filter gradient over rows (output pixels): dw[tap][ci][co] += x * dy. Same gathering as GatherProduct with y as dy.
struct GatherOuter {
  const float* x = nullptr;
  int64_t x_h = 1, x_w = 1, x_c = 1, x_pitch = 1;
  const float* dy = nullptr;  // {rows, dy_c}, contiguous
  int64_t dy_c = 1;
  int64_t grid_h = 1, grid_w = 1;
  int64_t x_step = 1;
  const Tap* taps = nullptr;
  int64_t tap_count = 0;
  const float* zeros = nullptr;
};

/// Images {N,h,w,channels} that Winograd's transforms read or write in 4x4 tiles; channels a multiple of `width`.
struct WinogradImages {
  int64_t h, w, channels;
  int64_t tiles() const { return ((h + 3) / 4) * ((w + 3) / 4); }
};

/// Codes, which stand for step * code.
struct SteppedCodes {
  const uint8_t* codes;
  bool is_signed;
  float step;
};

/// A uniform quantizer with one step.
struct UniformSteps {
  float step = 1;
  QuantRange range = {};
};
/// Sums of many elements: sixteen of float32, element i into sum i % 16, over runs of at most kLaneRun; then float64.
constexpr int kLaneSums = 16;
constexpr int64_t kLaneRun = 4096;

/// Batch norm inputs shared by its kernels; see Backend::batch_norm_*.
template <class T>
struct NormInputs {
  const T *x, *y, *dy, *dy_codes, *residual;
  const float *mean, *inv_std, *gamma, *beta;
  bool relu;
  int64_t channels;
};
/// Where the sums of a gradient over a chunk of rows go.
struct NormSums {
  float* sums;        // {4,channels}: of dy, of dy * normalised x; the others to compute with
  float* step;        // kLaneSums for each step_rows of the rows: of the step's gradient; or null
  int64_t step_rows;  // step_rows * channels is about kLaneRun
  uint16_t* passed;   // {rows,vectors}, or null: which lanes of dy are not masked, a bit each
};
/// Rows in chunks of `step`, the last of which may be shorter.
struct RowChunks {
  int64_t rows, step, channels;
};

/// Pixels first + h * width + w of `rows` and `columns`, of images that are `width` pixels wide.
struct PixelBlock {
  int64_t first, rows, columns, width;
};

/// Kernels on tensors whose elements are stored as T, float or BFloat16; arithmetic, statistics and steps are float32.
template <class T>
struct StoredKernels {
  // Elementwise over [0, n).
  void (*axpy)(float alpha, const T* x, T* y, int64_t n);
  void (*relu)(const T* x, T* y, int64_t n);
  void (*relu_grad)(const T* y, const T* dy, T* dx, int64_t n);

  // Batch norm over rows [begin, end).
  /// Mean and sum of squared deviations of a chunk of rows.
  void (*norm_chunk)(const T* x, int64_t rows, int64_t channels, float* mean, float* m2);
  void (*norm_apply)(const NormInputs<T>& a, int64_t begin, int64_t end, T* y);
  /// The codes of what norm_apply gives; returns 0, or not a number where a value is not finite.
  float (*norm_codes)(const NormInputs<T>& a, const UniformSteps& steps, int64_t begin, int64_t end, uint8_t* codes);
  /// dy masked by what lies behind the norm: a quantizer (or null), then the ReLU: from y where it is given, else from
  /// what it is made of. With both y and a quantizer, what that lets through of dy_codes is added to dy. d_residual (or
  /// null) gets the masked dy; it may be dy.
  void (*norm_grad_sums)(const NormInputs<T>& a, const UniformSteps* steps, int64_t begin, int64_t end,
                         const NormSums& to, T* d_residual);
  /// dx = gamma inv_std (dy - mean_dy - xhat mean_dy_x), dy masked by `passed` (or null); dx may be dy.
  void (*norm_grad_apply)(const NormInputs<T>& a, const uint16_t* passed, int64_t begin, int64_t end,
                          const float* mean_dy, const float* mean_dy_x, T* dx);

  // Max pooling.
  /// The largest of the pixels, channel by channel, and which of them it is; what is not a number is larger than all.
  void (*max_window)(const T* x, const PixelBlock& window, int64_t channels, T* y, int32_t* index);
  /// dx of one pixel: the sum of dy over those of the output pixels whose index it is.
  void (*max_window_grad)(const T* dy, const int32_t* index, const PixelBlock& windows, int64_t pixel, int64_t channels,
                          T* dx);

  // Quantization.
  /// Over elements [begin, end) of a tensor: absolute positions, for the noise.
  void (*quantize)(const T* x, const UniformSteps& steps, const QuantNoise& noise, T* y, int64_t begin, int64_t end);
  /// dx may be dy.
  double (*quantize_grad)(const T* x, const UniformSteps& steps, const T* dy, T* dx, int64_t n);
  /// Returns 0, or not a number where a value is not finite.
  float (*quantize_codes)(const T* x, const UniformSteps& steps, uint8_t* codes, int64_t n);
  double (*quantize_error)(const T* x, const UniformSteps& steps, int64_t n);
  void (*decode)(const uint8_t* codes, bool is_signed, float step, T* y, int64_t n);
};

/// One table of Backend::look_up().
struct Entries {
  const float *thresholds, *values;
  int64_t count;
};

/// What LCQ's curve is made of; null theta: one piece.
struct Companded {
  const float *theta, *alpha;
};
struct CompandedTable {
  float *thresholds, *values, *slopes, *codes;
};

struct Kernels {
  const char* name;
  int width;      // floats of a vector
  int panel;      // width of a packed panel of output channels
  int tile_rows;  // rows of the register tile

  // Elementwise over [0, n).
  void (*widen)(const BFloat16* x, float* y, int64_t n);
  void (*narrow)(const float* x, BFloat16* y, int64_t n);
  void (*scale)(const float* x, float alpha, float* y, int64_t n);
  void (*sgd)(const SgdUpdate& update, float* w, const float* g, float* m, int64_t n);
  void (*adam)(const AdamUpdate& update, float* w, const float* g, float* m, float* v, int64_t n);
  double (*sum)(const float* x, int64_t n);
  double (*sum_abs)(const float* x, int64_t n);
  /// y[c] = sum of x {rows,channels} over rows.
  void (*sum_rows)(const float* x, float* y, int64_t rows, int64_t channels);

  void (*unary)(Unary op, const float* x, float* y, int64_t n);
  void (*binary)(Binary op, const float* a, const float* b, float* y, int64_t n);
  void (*binary_scalar)(Binary op, const float* a, float b, bool scalar_first, float* y, int64_t n);
  void (*where)(const float* condition, const float* a, const float* b, float* y, int64_t n);
  /// Over the middle axis of {outer, axis, inner}: outputs [begin, end) of {outer, inner}.
  void (*fold)(Fold op, const float* x, int64_t axis, int64_t inner, int64_t begin, int64_t end, float* y);

  // Convolution.
  /// Rows [begin, end) of panels [panel_begin, panel_end).
  void (*gather_product)(const GatherProduct& p, int64_t begin, int64_t end, int64_t panel_begin, int64_t panel_end);
  /// Adds rows [begin, end) into acc {dy_c, taps, padded x_c} for dy channels [co_begin, co_end). `scratch` holds
  /// outer_scratch() floats.
  void (*gather_outer)(const GatherOuter& p, int64_t begin, int64_t end, int64_t co_begin, int64_t co_end, float* acc,
                       float* scratch);
  int64_t (*outer_scratch)(const GatherOuter& p);

  // 3x3 convolution by Winograd's F(4x4,3x3); see kernels/winograd.cpp for the layouts.
  void (*winograd_input)(const WinogradImages& g, const float* x, int64_t begin, int64_t end, float* v, int64_t stride);
  void (*winograd_input_codes)(const WinogradImages& g, const SteppedCodes& x, int64_t begin, int64_t end, float* v,
                               int64_t stride);
  void (*winograd_grad)(const WinogradImages& g, const float* dy, int64_t begin, int64_t end, float* d, int64_t stride);
  void (*winograd_output)(const WinogradImages& g, const float* m, int64_t stride, int64_t begin, int64_t end,
                          float* y);
  void (*winograd_filter)(const float* w, int64_t in, int64_t out, bool turned, int64_t panel, float* u);
  void (*winograd_filter_grad)(const float* sums, int64_t in, int64_t out, int64_t o, float* dw);
  void (*winograd_product)(const float* v, const float* u, int64_t rows, int64_t in, int64_t out, float* m);
  void (*winograd_outer)(const float* d, const float* v, int64_t rows, int64_t in, int64_t out, float* acc);

  StoredKernels<float> f32;
  StoredKernels<BFloat16> bf16;

  // Tables; `sums` {2,count} or null.
  void (*look_up)(const Entries& table, const float* x, float* y, int64_t n, double* sums);
  void (*look_up_grad)(const Entries& table, const float* x, const float* dy, float* dx, int64_t n, double* sums);
  // Of one basis; sizes and sums of the inputs at each level.
  void (*basis_levels)(const BasisArgs& args, const float* basis, float* levels, float* midpoints, float* codes);
  void (*basis_fit)(const BasisFit& args, const float* codes, const double* sizes, const double* sums, float* basis);
  void (*companding)(const CompandingArgs& args, const Companded& of, const CompandedTable& table);
  void (*companding_grad)(const CompandingArgs& args, const Companded& of, const double* sums, float* dalpha,
                          float* dtheta);

  // Batch norm: what chunks of rows gave, joined in their order, for channels [begin, end).
  /// Mean and biased variance of all rows (Chan, Golub & LeVeque 1979, Eq. 2.1).
  void (*join_moments)(const RowChunks& of, const float* means, const float* m2s, int64_t begin, int64_t end,
                       float* mean, float* var);
  /// Sums over `count` parts, each `stride` behind the one before.
  void (*join_sums)(const float* parts, int64_t count, int64_t stride, int64_t begin, int64_t end, double* sums);
};

/// Those of an instruction set by its name; throws DeviceError as isa_index() does (base/isa.h).
const Kernels& kernels_of(const std::string& isa);
/// Those of chosen_isa(), the same for the whole process.
const Kernels& chosen_kernels();

}  // namespace ntq::cpu

#ifdef NTQ_ISA
namespace ntq::cpu::NTQ_ISA {
const Kernels& kernels();
void fill_elementwise(Kernels& table);
void fill_pointwise(Kernels& table);
void fill_fold(Kernels& table);
void fill_conv(Kernels& table);
void fill_conv_grad(Kernels& table);
void fill_winograd(Kernels& table);
void fill_norm(Kernels& table);
void fill_norm_grad(Kernels& table);
void fill_pool(Kernels& table);
void fill_quantize(Kernels& table);
void fill_look_up(Kernels& table);
void fill_basis(Kernels& table);
void fill_companding(Kernels& table);
}  // namespace ntq::cpu::NTQ_ISA
#endif
