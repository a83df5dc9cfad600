#pragma once
// What the primitives of a backend are told: sizes, choices and groups of views with names. Plain structs, as in
// view.h.
#include <cstdint>
#include <limits>

#include "engine/backend/view.h"
#include "engine/random.h"

namespace ntq {

/// Sizes of one 2-d convolution over NHWC images and {Cout,Kh,Kw,Cin/groups} filters. Padding is zeros, equal on both
/// sides. Group i of the output channels sees group i of the input channels.
struct ConvGeometry {
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, pad = 0, groups = 1;
  int64_t macs() const { return batch * out_h * out_w * out_c * kernel_h * kernel_w * (in_c / groups); }
};

/// The images of a convolution: values, or codes, int8 or uint8, which stand for whole numbers, or with a step, {1},
/// for step * code as float32.
struct ConvInput {
  ConstView values, step;
  ConvInput(ConstView v, ConstView step_of_codes = {}) : values(v), step(step_of_codes) {}  // NOLINT: what it mostly is
  ConvInput(View v) : ConvInput(ConstView(v)) {}                                            // NOLINT
};

enum class ConvPass { forward, grad_input, grad_weight };

/// What products of float32 multiply: float32 and nothing less, or factors that may be rounded to 11 bits (TF32), as
/// the tensor cores of GPUs take them. Sums are float32.
enum class Products { float32, tf32 };

/// Sizes of one pooling over NHWC images; padding never wins a maximum and never counts in an average.
struct PoolGeometry {
  int64_t batch = 1, in_h = 1, in_w = 1, channels = 1, out_h = 1, out_w = 1;
  int64_t kernel = 1, stride = 1, pad = 0;
};

/// Every stride-th pixel of NHWC images, with `extra` channels of zeros before and behind.
struct SubsampleGeometry {
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t stride = 1, extra = 0;
  int64_t out_h() const { return (in_h + stride - 1) / stride; }
  int64_t out_w() const { return (in_w + stride - 1) / stride; }
  int64_t out_c() const { return in_c + 2 * extra; }
  int64_t in_size() const { return batch * in_h * in_w * in_c; }
  int64_t out_size() const { return batch * out_h() * out_w() * out_c(); }
};

/// Of a batch of small images.
struct ImageSizes {
  int64_t batch = 1, height = 1, width = 1, channels = 1;
  int64_t size() const { return batch * height * width * channels; }
};

/// y = op(x). sign: -1, 0 or 1; round: to the nearest, ties to even.
enum class Unary { neg, abs, square, sqrt, exp, log, tanh, sigmoid, sign, floor, round };
/// y = a op b. Comparisons give 1 or 0; min and max are not a number where one side is not.
enum class Binary { add, sub, mul, div, min, max, less, less_equal, equal };
/// Over one axis; sums in float64, max and min not a number where one value is not.
enum class Fold { sum, max, min };

/// A tensor as {outer, axis, inner}, of which some other tensor has the axis alone, or all but the axis.
struct AxisSplit {
  int64_t outer = 1, axis = 1, inner = 1;
  int64_t numel() const { return outer * axis * inner; }
};
/// a {outer,axis,inner} op b {axis}, or b op a.
struct AlongArgs {
  Binary op = Binary::add;
  AxisSplit split;
  bool b_first = false;
};

/// Batch statistics over rows of x {rows,channels}: mean and 1 / sqrt(biased variance + eps) are written, and running =
/// (1 - momentum) * running + momentum * batch, of the variance the unbiased one.
struct NormStats {
  View mean, inv_std, running_mean, running_var;
  float momentum = 0.1f, eps = 1e-5f;
};
/// y = (x - mean) * inv_std * gamma + beta [+ residual], then max(y, 0) if relu. The gradient reads x, dy, mean,
/// inv_std and gamma, and for the ReLU y or, without it, what y is made of.
struct NormArgs {
  ConstView x, mean, inv_std, gamma, beta = {}, residual = {};
  bool relu = false;
  ConstView y = {}, dy = {};
  ConstView dy_codes = {};  ///< for batch_norm_codes_grad()
  bool frozen = false;      ///< mean and inv_std are constants (evaluation, frozen statistics), not functions of x
};
/// d_residual (or none) gets dy where the ReLU (and a quantizer behind it) passed it. It may be the memory of dy, and
/// without it dx may be.
struct NormGrads {
  View dx, dgamma, dbeta, d_residual = {};
};

/// softmax(logits {rows,classes}) against labels {rows} int32 in [0, classes).
struct CrossEntropyArgs {
  ConstView logits, labels;
  float smoothing = 0;  ///< targets are (1 - smoothing) on the label plus smoothing / classes everywhere
};

/// Integers [low, high] that a uniform quantizer may take: -Q_N and Q_P of the LSQ paper.
struct QuantRange {
  float low = 0, high = 0;
};
/// NTQ's noise, Eq. 7 of arXiv 2212.05603: c * exp(-k e) * sqrt(e) * eps. c == 0: none.
struct QuantNoise {
  float c = 0, k = 0;
  RandomKey key;
};
struct QuantizeArgs {
  QuantRange range;
  float grad_scale = 1.0f;  ///< g of the step's gradient, 1 / sqrt(N Q_P)
  QuantNoise noise = {};    ///< c = 0: none
};

/// Tables of n entries, each with its own run of the input: entry i is for what is above i of the n - 1 rising
/// thresholds {tables,n-1}; entries {tables,n}, n at most kMostEntries.
struct LookUpTable {
  ConstView thresholds, entries;
  int64_t tables() const { return entries.size - thresholds.size; }
  int64_t count() const { return entries.size / tables(); }
};
constexpr int64_t kMostEntries = 1024;

/// LQ-Nets' levels v.e for all codes e of `bits` values, each -1 or 1 where both_signs, else 0 or 1.
struct BasisArgs {
  int bits = 1;
  bool both_signs = false;
};
/// One step of its fit: v += share * (argmin |x - B v|^2 + ridge |v - v_before|^2 - v); the ridge only where the rest
/// does not determine v, unless `always`.
struct BasisFit {
  BasisArgs basis;
  double share = 1, ridge = 0;
  bool always = false;
};

/// LCQ's quantizer (arXiv 2103.07156): sign(x) alpha g(round(S f(|x| / alpha)) / S), S = steps; f piecewise linear over
/// K equal intervals with slopes K softmax(theta), g its inverse; alpha from there on, and 0 below 0 unless both_signs.
struct CompandingArgs {
  int64_t steps = 1, pieces = 1;  ///< S and K; no theta: K = 1
  bool both_signs = false;
  bool unit_slopes = false;  ///< gradients as if f's slope and g's were reciprocal
  bool byte_levels = false;  ///< g rounded to a multiple of 1/127, 1/255 without signs
  /// Entries of its table: f's pieces and the codes, together.
  int64_t entries() const { return both_signs ? 2 * (steps + pieces) + 2 : steps + pieces + 2; }
};
/// Its table: what x becomes, the slope of its gradient, and its code, a whole number.
struct CompandingTable {
  View thresholds, values, slopes, codes;
};

/// One update of one tensor: g += weight_decay * w; m = momentum * m + g; w -= lr * (nesterov ? g + momentum * m : m).
/// Where w was above 0 and would become more than most_change times of that, or less than that share of it, it stays at
/// this border, and m becomes (w before - w) / lr: no more is left of the move than was made. Afterwards w = max(w,
/// floor). Neither where w becomes infinite or no number: a divergence stays visible where it begins.
struct SgdUpdate {
  float lr = 0, momentum = 0, weight_decay = 0;
  bool nesterov = false;
  float floor = -std::numeric_limits<float>::infinity(), most_change = std::numeric_limits<float>::infinity();
};
/// One of several tensors that are updated together.
struct SgdTensor {
  SgdUpdate update;
  View w;
  ConstView g;
  View m;
};
/// One update of one tensor by Adam (optim/adam.h), bias corrections taken in: g' = g + (decoupled ? 0 : weight_decay)
/// * w; m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2; w -= lr * m / (sqrt(v * square_scale) + epsilon)
/// + (decoupled ? decay_lr * weight_decay * w : 0). Borders of w as SgdUpdate's; m stays.
struct AdamUpdate {
  float lr = 0, decay_lr = 0, beta1 = 0, beta2 = 0, epsilon = 0, square_scale = 1, weight_decay = 0;
  bool decoupled = false;
  float floor = -std::numeric_limits<float>::infinity(), most_change = std::numeric_limits<float>::infinity();
};

}  // namespace ntq
