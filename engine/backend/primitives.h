#pragma once
// The arithmetic that every device implements: the primitives that cannot be written in terms of others. Views are
// memory of the device; ops (engine/ops) check shapes before they call, a backend asserts types and sizes. Forward,
// data gradient and filter gradient are separate entry points. Results stay on the device, those of reductions too.
// Types: values between layers and their gradients (x, y, dy, dx, residuals) are float32 or bfloat16, all of a call
// alike; parameters, statistics, steps, tables and their gradients are float32 beside either. Whatever they are stored
// as, arithmetic is float32, and what is stored as bfloat16 is rounded to the nearest, ties to even.
#include "engine/backend/args.h"
#include "engine/backend/memory.h"

namespace ntq {

/// Names of the primitives, those of backend.h too, for supports().
enum class Primitive {
  fill,
  cast,
  unary,
  binary,
  binary_along,
  where,
  fold,
  sum,
  scale,
  axpy,
  relu,
  relu_grad,
  sum_rows,
  spread,
  sum_abs,
  all_finite,
  conv2d,
  conv2d_grad_input,
  conv2d_grad_weight,
  batch_norm_stats,
  inverse_std,
  batch_norm_apply,
  batch_norm_grad,
  batch_norm_codes,
  batch_norm_codes_grad,
  max_pool,
  max_pool_grad,
  avg_pool,
  avg_pool_grad,
  subsample,
  subsample_grad,
  crop_images,
  softmax_cross_entropy,
  count_correct,
  quantize,
  quantize_grad,
  quantize_codes,
  decode_codes,
  quantize_error,
  look_up,
  look_up_grad,
  basis_levels,
  basis_fit,
  companding,
  companding_grad,
  sgd_step,
  adam_step,
  conv2d_codes,
};

class Primitives : public DeviceMemory {
 public:
  /// True when the primitive is there for values of `type`, of cast() for values from and to it. One that is not is
  /// never called, and may do anything.
  virtual bool supports(Primitive primitive, DType type) const = 0;

  // Elementwise; all views are of one size unless said otherwise, and y may be one of the inputs.
  virtual void fill(float value, View y) = 0;
  /// y = x in the type of y.
  virtual void cast(ConstView x, View y) = 0;
  virtual void unary(Unary op, ConstView x, View y) = 0;
  virtual void binary(Binary op, ConstView a, ConstView b, View y) = 0;
  /// b as a and y, or float32.
  virtual void binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) = 0;
  /// y = condition != 0 ? a : b
  virtual void where(ConstView condition, ConstView a, ConstView b, View y) = 0;

  // Reductions.
  /// y {outer,inner}, as x or float32, of x {outer,axis,inner}; axis >= 1.
  virtual void fold(Fold op, const AxisSplit& split, ConstView x, View y) = 0;
  /// y {1}, float32 or float64, = factor * the sum of x; both in float64.
  virtual void sum(ConstView x, double factor, View y) = 0;

  // Convolution. A linear layer is a 1x1 convolution on 1x1 images. w and dw are float32; x may also be codes, with y
  // and dy of either type, or, where the codes have a step, of float32.
  virtual void conv2d(const ConvGeometry& g, ConvInput x, ConstView w, View y) = 0;
  virtual void conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) = 0;
  virtual void conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConvInput x, View dw) = 0;

  // Batch norm over rows of {rows,channels}, parameters and statistics {channels}.
  virtual void batch_norm_stats(ConstView x, const NormStats& stats) = 0;
  virtual void batch_norm_apply(const NormArgs& args, View y) = 0;
  virtual void batch_norm_grad(const NormArgs& args, const NormGrads& grads) = 0;

  // Pooling. `index`, int32, holds each maximum's flat input pixel (n*H + h)*W + w.
  virtual void max_pool(const PoolGeometry& g, ConstView x, View y, View index) = 0;
  virtual void max_pool_grad(const PoolGeometry& g, ConstView dy, ConstView index, View dx) = 0;
  virtual void avg_pool(const PoolGeometry& g, ConstView x, View y) = 0;
  virtual void avg_pool_grad(const PoolGeometry& g, ConstView dy, View dx) = 0;

  /// A batch y {batch,height,width,channels}, float32, out of `pixels`, images of bytes of that size, back to back.
  /// crops {batch,4}, int32: which image, the row and the column there at which the window begins (outside of the image
  /// is black, byte 0), and whether it is mirrored, left to right. values {channels,256}: what becomes of a byte. Fewer
  /// than 2^31 pixels in a batch.
  virtual void crop_images(const ImageSizes& g, ConstView pixels, ConstView crops, ConstView values, View y) = 0;

  /// loss {1}: the mean cross entropy; dlogits: its gradient.
  virtual void softmax_cross_entropy(const CrossEntropyArgs& args, View loss, View dlogits) = 0;
  /// hits {1}, int64: rows whose label is among the `top` highest logits. Of equal ones the first class wins; one that
  /// is not a number counts against the label.
  virtual void count_correct(const CrossEntropyArgs& args, int64_t top, View hits) = 0;

  // Uniform quantization with learned steps > 0 (LSQ Eq. 1-3): one, or as many as x has equal runs, one for each.
  /// y = step * round_even(clamp(x / step, low, high)) [+ noise of that element's error]; not a number where x is not
  /// finite.
  virtual void quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) = 0;
  /// dx = dy inside the open range, else 0; dstep = grad_scale * sum dy * d, where d = round(x / step) - x / step
  /// inside, low or high outside (LSQ Eq. 3). One pass; dx may be the memory of dy.
  virtual void quantize_grad(const QuantizeArgs& args, ConstView x, ConstView step, ConstView dy, View dx,
                             View dstep) = 0;
  /// Integer codes, int8 or uint8 as the view says. `checked` (or none) becomes the steps or, where a value of a step's
  /// run of x is not finite, not a number: then no codes hide it.
  virtual void quantize_codes(QuantRange range, ConstView x, ConstView step, View codes, View checked) = 0;
  /// y = step * code; one step.
  virtual void decode_codes(ConstView codes, ConstView step, View y) = 0;

  // Quantization to the entries of tables. `sums` {2,tables,n}, float32 or float64, is written in float64; or none.
  /// y = x's entry; not a number where x is not finite. sums: how many x an entry has, and their sum.
  virtual void look_up(const LookUpTable& table, ConstView x, View y, View sums) = 0;
  /// dx = dy times x's entry. sums: of dy, and of dy x, over the x of an entry.
  virtual void look_up_grad(const LookUpTable& table, ConstView x, ConstView dy, View dx, View sums) = 0;
  /// levels and codes {C,2^bits}, rising, of basis {C,bits}, and the midpoints {C,2^bits-1}; of equal levels the lower
  /// code is first. Codes as whole numbers, bit i set for basis value i (plus that value, where signed).
  virtual void basis_levels(const BasisArgs& args, ConstView basis, View levels, View midpoints, View codes) = 0;
  /// Fits the basis to inputs of which `sums` {2,C,2^bits}, float64, are what look_up() gives.
  virtual void basis_fit(const BasisFit& args, ConstView codes, ConstView sums, View basis) = 0;
  /// theta {K} or none, alpha {1}.
  virtual void companding(const CompandingArgs& args, ConstView theta, ConstView alpha,
                          const CompandingTable& table) = 0;
  /// `sums`, float64, as look_up_grad() gives them for its thresholds; dtheta as theta.
  virtual void companding_grad(const CompandingArgs& args, ConstView theta, ConstView alpha, ConstView sums,
                               View dalpha, View dtheta) = 0;
};

/// Memory of a device for the length of a call; false where there was none, and allocate() has left the error.
class Scratch {
 public:
  Scratch(Primitives& backend, int64_t size, DType type = DType::f32)
      : backend_(backend),
        bytes_(bytes_of(size, type)),
        view_{backend.allocate(bytes_, MemoryKind::device), type, size} {}
  ~Scratch() {
    if (view_) backend_.release(view_.data, bytes_, MemoryKind::device);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  explicit operator bool() const { return static_cast<bool>(view_); }
  View view() const { return view_; }
  /// Of float32, on a device whose memory the host can reach.
  float* data() const { return static_cast<float*>(view_.data); }

 private:
  /// More bytes than any machine has where they cannot be counted, so that allocate() refuses them.
  static size_t bytes_of(int64_t size, DType type) {
    return size < 0 || size > int64_t{1} << 60 ? ~size_t{0} : static_cast<size_t>(size) * dtype_size(type);
  }
  Primitives& backend_;
  size_t bytes_;
  View view_;
};

}  // namespace ntq
