#pragma once
// Backend: the primitives of a device. Those written here have a default in terms of primitives.h, which a device
// overrides where one pass is faster; all inline, so that a library may implement a backend without the engine's code.
// A default that gets no memory does nothing more: the error that allocate() left says so.
#include <span>

#include "engine/backend/primitives.h"

namespace ntq {

/// A convolution's input and filters in codes, which stand for step * code: filters of int8, with one step, or one for
/// each output channel.
struct CodeConv {
  ConstView x, w, x_step, w_step;
  int32_t x_top = 255, w_top = 128;  ///< what |x| and |w| do not exceed
};

class Backend : public Primitives {
 public:
  /// What convolutions that are called from now on multiply. False: the device has no such products, nothing changes.
  virtual bool use_products(Products products) { return products == Products::float32; }
  virtual Products products() const { return Products::float32; }

  /// y = alpha * x
  virtual void scale(float alpha, ConstView x, View y) { with_number(Binary::mul, x, alpha, y); }
  /// y += alpha * x
  virtual void axpy(float alpha, ConstView x, View y) {
    if (y.type != DType::f32) {  // one rounding, not two
      const Scratch more(*this, x.size), sum(*this, x.size);
      if (!more || !sum) return;
      cast(x, more.view());
      cast(y, sum.view());
      axpy(alpha, more.view(), sum.view());
      return cast(sum.view(), y);
    }
    const Scratch scaled(*this, x.size);
    if (!scaled) return;
    scale(alpha, x, scaled.view());
    binary(Binary::add, y, scaled.view(), y);
  }
  virtual void relu(ConstView x, View y) { with_number(Binary::max, x, 0.0f, y); }
  /// dx = y > 0 ? dy : 0
  virtual void relu_grad(ConstView y, ConstView dy, View dx) {
    const Scratch passes(*this, y.size, y.type), zeros(*this, y.size, y.type);
    if (!passes || !zeros) return;
    fill(0.0f, zeros.view());
    binary(Binary::less, zeros.view(), y, passes.view());
    where(passes.view(), dy, zeros.view(), dx);
  }
  /// y {channels}, as x or float32: the sum over rows of x {rows,channels}.
  virtual void sum_rows(ConstView x, View y) { fold(Fold::sum, {1, y.size > 0 ? x.size / y.size : 0, y.size}, x, y); }
  /// y {outer,axis,inner} = x {outer,inner}, as y or float32.
  virtual void spread(const AxisSplit& split, ConstView x, View y) {
    fill(0.0f, y);
    if (split.inner == 1) return binary_along({Binary::add, {1, split.outer, split.axis}}, y, x, y);
    const int64_t size = split.axis * split.inner;
    for (int64_t o = 0; o < split.outer; ++o) {
      const View to = y.part(o * size, size);
      binary_along({Binary::add, {split.axis, split.inner, 1}}, to, part_of(x, o * split.inner, split.inner), to);
    }
  }
  /// y {1}, float32 or float64: the sum of |x|, in float64.
  virtual void sum_abs(ConstView x, View y) {
    const Scratch sizes(*this, x.size, x.type);
    if (!sizes) return;
    unary(Unary::abs, x, sizes.view());
    sum(sizes.view(), 1.0, y);
  }
  /// y {1}, float32, = 1 when every element is finite, else 0.
  virtual void all_finite(ConstView x, View y) {
    const Scratch zeros(*this, x.size, x.type);
    if (!zeros) return;
    binary(Binary::sub, x, x, zeros.view());  // or not a number
    sum(zeros.view(), 1.0, y);
    binary(Binary::equal, y, y, y);
  }
  /// y = 1 / sqrt(var + eps); not a number for a variance that is not finite: its inverse, 0, would hide an overflow
  /// behind outputs of beta.
  virtual void inverse_std(ConstView var, float eps, View y) {
    const Scratch zeros(*this, var.size);
    if (!zeros) return;
    binary(Binary::sub, var, var, zeros.view());
    with_number(Binary::add, var, eps, y);
    binary(Binary::add, y, zeros.view(), y);
    unary(Unary::sqrt, y, y);
    number_with(Binary::div, 1.0f, y, y);
  }
  /// The codes of what batch_norm_apply() gives, as quantize_codes() has them: one step.
  virtual void batch_norm_codes(const NormArgs& args, QuantRange range, ConstView step, View codes, View checked) {
    const Scratch y(*this, args.x.size, args.x.type);
    if (!y) return;
    batch_norm_apply(args, y.view());
    quantize_codes(range, y.view(), step, codes, checked);
  }
  /// args.dy: the gradient of the decoded values. d_residual as for batch_norm_grad(), with or without a ReLU. Where
  /// the values have readers beside those of their codes, they are args.y, args.dy is the gradient of these readers,
  /// and args.dy_codes, whose memory dx may be, that of the decoded values.
  virtual void batch_norm_codes_grad(const NormArgs& args, const QuantizeArgs& quantizer, ConstView step,
                                     const NormGrads& grads, View dstep) {
    const Scratch made(*this, args.y ? 0 : args.x.size, args.x.type), dy(*this, args.x.size, args.x.type);
    if (!made || !dy) return;
    if (!args.y) batch_norm_apply(args, made.view());
    const ConstView y = args.y ? args.y : ConstView(made.view());
    quantize_grad(quantizer, y, step, args.y ? args.dy_codes : args.dy, dy.view(), dstep);
    if (args.y) axpy(1.0f, args.dy, dy.view());
    NormArgs of_values = args;
    of_values.y = args.relu ? y : ConstView();
    of_values.dy = dy.view();
    batch_norm_grad(of_values, grads);
  }
  /// errors {k}, float32 or float64: the sum of (Q(x) - x)^2 for each of k steps.
  virtual void quantize_error(QuantRange range, ConstView x, ConstView steps, View errors) {
    const Scratch difference(*this, x.size), wide(*this, x.type == DType::f32 ? 0 : x.size);
    if (!difference || !wide) return;
    if (x.type != DType::f32) cast(x, wide.view());
    const ConstView from = x.type == DType::f32 ? x : ConstView(wide.view());
    for (int64_t i = 0; i < steps.size; ++i) {
      quantize({.range = range}, from, part_of(steps, i, 1), difference.view());
      binary(Binary::sub, difference.view(), from, difference.view());
      unary(Unary::square, difference.view(), difference.view());
      sum(difference.view(), 1.0, errors.part(i, 1));
    }
  }
  /// y {batch,out_h,out_w,out_c} of x {batch,in_h,in_w,in_c}.
  virtual void subsample(const SubsampleGeometry& g, ConstView x, View y) {
    fill(0.0f, y);
    each_kept_pixel(g, [&](int64_t in, int64_t out) { scale(1.0f, part_of(x, in, g.in_c), y.part(out, g.in_c)); });
  }
  virtual void subsample_grad(const SubsampleGeometry& g, ConstView dy, View dx) {
    fill(0.0f, dx);
    each_kept_pixel(g, [&](int64_t in, int64_t out) { scale(1.0f, part_of(dy, out, g.in_c), dx.part(in, g.in_c)); });
  }

  virtual void sgd_step(const SgdUpdate& u, View w, ConstView g, View m) {
    const Scratch grad(*this, w.size), before(*this, w.size);
    if (!grad || !before) return;
    scale(1.0f, w, before.view());
    scale(u.weight_decay, w, grad.view());
    binary(Binary::add, g, grad.view(), grad.view());
    scale(u.momentum, m, m);
    binary(Binary::add, m, grad.view(), m);
    if (u.nesterov) axpy(u.momentum, m, grad.view());
    axpy(-u.lr, u.nesterov ? grad.view() : m, w);
    keep_near(u.most_change, u.lr, before.view(), w, m);
    keep_above(u.floor, w);
  }
  /// The same of several tensors, none of which shares memory with another.
  virtual void sgd_steps(std::span<const SgdTensor> tensors) {
    for (const SgdTensor& each : tensors) sgd_step(each.update, each.w, each.g, each.m);
  }
  virtual void adam_step(const AdamUpdate& u, View w, ConstView g, View m, View v) {
    const Scratch grad(*this, w.size), move(*this, w.size), before(*this, w.size);
    if (!grad || !move || !before) return;
    scale(1.0f, w, before.view());
    scale(u.decoupled ? 0.0f : u.weight_decay, w, grad.view());
    binary(Binary::add, g, grad.view(), grad.view());
    scale(u.beta1, m, m);
    axpy(1.0f - u.beta1, grad.view(), m);
    unary(Unary::square, grad.view(), grad.view());
    scale(u.beta2, v, v);
    axpy(1.0f - u.beta2, grad.view(), v);
    scale(u.square_scale, v, grad.view());
    unary(Unary::sqrt, grad.view(), grad.view());
    with_number(Binary::add, grad.view(), u.epsilon, grad.view());
    binary(Binary::div, m, grad.view(), move.view());
    if (u.decoupled) scale(1.0f - u.decay_lr * u.weight_decay, w, w);
    axpy(-u.lr, move.view(), w);
    keep_near(u.most_change, u.lr, before.view(), w, {});
    keep_above(u.floor, w);
  }

  // Filters packed ahead, as bfloat16, where a device multiplies such: conv2d() and conv2d_grad_input() take them in
  // place of w, to the same bits.
  /// How many numbers they are, beside values of `type`; 0: the pass reads w alone.
  virtual int64_t packed_filters(const ConvGeometry&, ConvPass, DType) const { return 0; }
  /// packed = those of scale * w; scale {1}.
  virtual void pack_filters(const ConvGeometry&, ConvPass, ConstView /*w*/, ConstView /*scale*/, View /*packed*/) {}

  /// y = conv2d() of what codes stand for. For y's type.
  virtual void conv2d_codes(const ConvGeometry& g, const CodeConv& codes, View y) {
    const Scratch filters(*this, codes.w.size);
    if (!filters) return;
    const View w = filters.view();
    const int64_t steps = codes.w_step.size;
    decode_codes(codes.w, codes.x_step, w);
    binary_along({Binary::mul, {1, steps, w.size / (steps > 0 ? steps : 1)}}, w, codes.w_step, w);
    conv2d(g, codes.x, w, y);
  }

 private:
  void with_number(Binary op, ConstView x, float number, View y) { along_number({op, {1, 1, x.size}}, x, number, y); }
  void number_with(Binary op, float number, ConstView x, View y) {
    along_number({op, {1, 1, x.size}, true}, x, number, y);
  }
  void along_number(const AlongArgs& args, ConstView x, float number, View y) {
    const Scratch one(*this, 1);
    if (!one) return;
    fill(number, one.view());
    binary_along(args, x, one.view(), y);
  }
  static ConstView part_of(ConstView x, int64_t first, int64_t count) {
    return {static_cast<const char*>(x.data) + first * static_cast<int64_t>(dtype_size(x.type)), x.type, count};
  }
  /// Calls op(first element of the pixel in x, first of its channels in y).
  template <class Op>
  static void each_kept_pixel(const SubsampleGeometry& g, const Op& op) {
    for (int64_t i = 0; i < g.batch * g.out_h() * g.out_w(); ++i) {
      const int64_t line = i / g.out_w(), row = line / g.out_h() * g.in_h + line % g.out_h() * g.stride;
      op((row * g.in_w + i % g.out_w() * g.stride) * g.in_c, i * g.out_c() + g.extra);
    }
  }
  /// The border `most_change` of SgdUpdate.
  void keep_near(float factor, float lr, ConstView before, View w, View m) {
    if (factor == std::numeric_limits<float>::infinity()) return;
    const Scratch near(*this, w.size), other(*this, w.size), held(*this, w.size);
    if (!near || !other || !held) return;
    with_number(Binary::mul, before, factor, near.view());
    binary(Binary::min, w, near.view(), near.view());
    with_number(Binary::div, before, factor, other.view());
    binary(Binary::max, near.view(), other.view(), near.view());
    number_with(Binary::less, 0.0f, before, held.view());
    unary(Unary::abs, w, other.view());
    with_number(Binary::less_equal, other.view(), std::numeric_limits<float>::max(), other.view());
    binary(Binary::mul, held.view(), other.view(), held.view());
    binary(Binary::equal, near.view(), w, other.view());
    number_with(Binary::sub, 1.0f, other.view(), other.view());
    binary(Binary::mul, held.view(), other.view(), held.view());
    where(held.view(), near.view(), w, w);
    if (!m) return;
    binary(Binary::sub, before, w, other.view());
    with_number(Binary::div, other.view(), lr, other.view());
    where(held.view(), other.view(), m, m);
  }
  /// w = max(w, floor), except where w is not finite.
  void keep_above(float floor, View w) {
    if (floor == -std::numeric_limits<float>::infinity()) return;
    const Scratch low(*this, w.size), finite(*this, w.size);
    if (!low || !finite) return;
    with_number(Binary::less, w, floor, low.view());
    number_with(Binary::less_equal, std::numeric_limits<float>::lowest(), w, finite.view());
    binary(Binary::mul, low.view(), finite.view(), low.view());
    fill(floor, finite.view());
    where(low.view(), finite.view(), w, w);
  }
};

}  // namespace ntq
