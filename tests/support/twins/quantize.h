#pragma once
// quantize (ops/quantize.h) out of elementary ops.
#include "engine/ops/binary.h"
#include "engine/ops/quantize.h"
#include "engine/ops/unary.h"

namespace ntq::test {

/// LSQ's Eq. 1-3: all of its gradients follow from a straight-through round. `eps`, standard normal values of x's
/// shape, is what the noise draws; undefined: no noise.
inline Tensor quantize_twin(const Tensor& x, const Tensor& step, const QuantizeArgs& args, const Tensor& eps = {}) {
  // The value of the step, and grad_scale times its gradient.
  const Tensor s = add(scale(step, args.grad_scale), scale(step.detach(), 1 - args.grad_scale));
  const Tensor y = mul(round_straight_through(clamp(div(x, s), args.range.low, args.range.high)), s);
  if (!eps) return y;
  const Tensor e = abs(sub(y.detach(), x.detach()));
  return add(y, mul(scale(mul(exp(scale(e, -args.noise.k)), sqrt(e)), args.noise.c), eps));
}

}  // namespace ntq::test
