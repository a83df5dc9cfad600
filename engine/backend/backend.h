#pragma once
// The primitives that a device implements. Pointers are device memory, float32 unless said otherwise; sizes are
// elements. Ops (engine/ops) check shapes before they call; a backend only asserts. Forward, data gradient and filter
// gradient are separate entry points. A later backend gets codes (8 bits and one step) as further overloads of conv2d.
#include <cstdint>
#include <limits>
#include <string>

#include "engine/device.h"
#include "engine/random.h"

namespace ntq {

/// Sizes of one 2-d convolution over NHWC images and {Cout,Kh,Kw,Cin} filters. Padding is zeros, equal on both sides.
struct ConvGeometry {
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, pad = 0;
  int64_t macs() const { return batch * out_h * out_w * out_c * kernel_h * kernel_w * in_c; }
};

/// Sizes of one pooling over NHWC images; padding never wins a maximum and never counts in an average.
struct PoolGeometry {
  int64_t batch = 1, in_h = 1, in_w = 1, channels = 1, out_h = 1, out_w = 1;
  int64_t kernel = 1, stride = 1, pad = 0;
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

/// One update of one tensor: g += weight_decay * w; m = momentum * m + g; w -= lr * (nesterov ? g + momentum * m : m).
/// Afterwards w = max(w, floor), except where w is not finite: a divergence stays visible where it begins.
struct SgdUpdate {
  float lr = 0, momentum = 0, weight_decay = 0;
  bool nesterov = false;
  float floor = -std::numeric_limits<float>::infinity();
};

/// One update of one tensor by Adam (optim/adam.h), bias corrections taken in: g' = g + (decoupled ? 0 : weight_decay)
/// * w; m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2; w -= lr * m / (sqrt(v * square_scale) + epsilon)
/// + (decoupled ? decay_lr * weight_decay * w : 0). Floor as SgdUpdate's.
struct AdamUpdate {
  float lr = 0, decay_lr = 0, beta1 = 0, beta2 = 0, epsilon = 0, square_scale = 1, weight_decay = 0;
  bool decoupled = false;
  float floor = -std::numeric_limits<float>::infinity();
};

/// y = op(x). sign: -1, 0 or 1; round: to the nearest, ties to even.
enum class Unary { neg, abs, square, sqrt, exp, log, tanh, sigmoid, sign, floor, round };
/// y = a op b. Comparisons give 1 or 0; min and max are not a number where one side is not.
enum class Binary { add, sub, mul, div, min, max, less, less_equal, equal };
/// Over one axis; sums in float64, max and min not a number where one value is not.
enum class Fold { sum, max, min };
/// A tensor as {outer, axis, inner}, of which some other tensor has the axis alone, or all but the axis.
struct AxisView {
  int64_t outer = 1, axis = 1, inner = 1;
  int64_t numel() const { return outer * axis * inner; }
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Device device() const = 0;
  /// "cpu, AVX2+FMA, 2 threads".
  virtual std::string describe() const = 0;

  // Memory. allocate() throws DeviceError when there is none; contents are undefined, alignment >= 64 bytes.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* memory, size_t bytes) = 0;
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  virtual void fill(float* y, float value, int64_t n) = 0;

  // Elementwise and reductions.
  /// y = alpha * x
  virtual void scale(const float* x, float alpha, float* y, int64_t n) = 0;
  /// y += alpha * x
  virtual void axpy(float alpha, const float* x, float* y, int64_t n) = 0;
  virtual void unary(Unary op, const float* x, float* y, int64_t n) = 0;
  virtual void binary(Binary op, const float* a, const float* b, float* y, int64_t n) = 0;
  /// a {outer,axis,inner} op b {axis}; `b_first`: b op a.
  virtual void binary_along(Binary op, const AxisView& view, const float* a, const float* b, bool b_first,
                            float* y) = 0;
  /// y = condition != 0 ? a : b
  virtual void where(const float* condition, const float* a, const float* b, float* y, int64_t n) = 0;
  /// y {outer,inner} of x {outer,axis,inner}; axis >= 1.
  virtual void fold(Fold op, const AxisView& view, const float* x, float* y) = 0;
  virtual void relu(const float* x, float* y, int64_t n) = 0;
  /// dx = y > 0 ? dy : 0
  virtual void relu_grad(const float* y, const float* dy, float* dx, int64_t n) = 0;
  /// Sum over rows of x {rows,channels}.
  virtual void sum_rows(const float* x, float* y, int64_t rows, int64_t channels) = 0;
  virtual double sum(const float* x, int64_t n) = 0;
  virtual double sum_abs(const float* x, int64_t n) = 0;
  /// True when every element is finite.
  virtual bool all_finite(const float* x, int64_t n) = 0;

  // Convolution; filters {Cout,Kh,Kw,Cin}. A linear layer is a 1x1 convolution on 1x1 images.
  virtual void conv2d(const ConvGeometry& g, const float* x, const float* w, float* y) = 0;
  virtual void conv2d_grad_input(const ConvGeometry& g, const float* dy, const float* w, float* dx) = 0;
  virtual void conv2d_grad_weight(const ConvGeometry& g, const float* dy, const float* x, float* dw) = 0;

  // Batch norm over rows of {rows,channels}.
  /// Mean and biased variance per channel.
  virtual void batch_norm_stats(const float* x, int64_t rows, int64_t channels, float* mean, float* var) = 0;
  /// y = (x - mean) * inv_std * gamma + beta [+ residual], then max(y, 0) if relu. residual may be null.
  virtual void batch_norm_apply(const float* x, const float* mean, const float* inv_std, const float* gamma,
                                const float* beta, const float* residual, bool relu, int64_t rows, int64_t channels,
                                float* y) = 0;
  /// Gradient through batch statistics. `y` (null: no ReLU) masks dy; d_residual (null: none) gets the masked dy.
  virtual void batch_norm_grad(const float* x, const float* y, const float* dy, const float* mean, const float* inv_std,
                               const float* gamma, int64_t rows, int64_t channels, float* dx, float* dgamma,
                               float* dbeta, float* d_residual) = 0;
  /// The same with mean and inv_std constant (evaluation, frozen statistics).
  virtual void batch_norm_grad_frozen(const float* x, const float* y, const float* dy, const float* mean,
                                      const float* inv_std, const float* gamma, int64_t rows, int64_t channels,
                                      float* dx, float* dgamma, float* dbeta, float* d_residual) = 0;

  // Pooling. `index` holds each maximum's flat input pixel (n*H + h)*W + w.
  virtual void max_pool(const PoolGeometry& g, const float* x, float* y, int32_t* index) = 0;
  virtual void max_pool_grad(const PoolGeometry& g, const float* dy, const int32_t* index, float* dx) = 0;
  virtual void avg_pool(const PoolGeometry& g, const float* x, float* y) = 0;
  virtual void avg_pool_grad(const PoolGeometry& g, const float* dy, float* dx) = 0;

  /// Mean cross entropy of softmax(logits {rows,classes}) against labels with smoothing; returns it and writes
  /// d loss / d logits. Each target is (1 - smoothing) on its label plus smoothing / classes everywhere.
  virtual double softmax_cross_entropy(const float* logits, const int32_t* labels, int64_t rows, int64_t classes,
                                       float smoothing, float* dlogits) = 0;

  // Uniform quantization with learned steps (LSQ Eq. 1-3); `step` points to `steps` positive values, one for each of as
  // many equal runs of x.
  /// y = step * round_even(clamp(x / step, low, high)) [+ noise of that element's error]; not a number where x is not
  /// finite.
  virtual void quantize(const float* x, const float* step, int64_t steps, QuantRange range, const QuantNoise& noise,
                        float* y, int64_t n) = 0;
  /// dx = dy inside the open range, else 0; dstep = grad_scale * sum dy * d (quantizers.md, section 1). One pass.
  virtual void quantize_grad(const float* x, const float* step, int64_t steps, QuantRange range, float grad_scale,
                             const float* dy, float* dx, float* dstep, int64_t n) = 0;
  /// Integer codes, one byte each: two's complement where the range begins below 0.
  virtual void quantize_codes(const float* x, const float* step, int64_t steps, QuantRange range, uint8_t* codes,
                              int64_t n) = 0;
  /// Sum of (Q(x) - x)^2 for a step that need not be stored yet.
  virtual double quantize_error(const float* x, float step, QuantRange range, int64_t n) = 0;

  virtual void sgd_step(const SgdUpdate& update, float* w, const float* g, float* m, int64_t n) = 0;
  virtual void adam_step(const AdamUpdate& update, float* w, const float* g, float* m, float* v, int64_t n) = 0;
};

/// The backend of a device; throws DeviceError when there is none. The CPU's is made on first use.
Backend& backend_for(Device device);

/// Threads that the CPU backend uses from now on (>= 1). Results do not depend on it.
void set_cpu_threads(int threads);
int cpu_threads();
/// The instruction set of the chosen kernels: "portable", "avx2" or "avx512".
std::string cpu_isa();
/// Bytes that the CPU allocator has taken from the system, and the largest amount ever in use by tensors.
struct MemoryUse {
  size_t reserved = 0, in_use = 0, peak = 0;
  uint64_t system_allocations = 0;
};
MemoryUse cpu_memory();

}  // namespace ntq
