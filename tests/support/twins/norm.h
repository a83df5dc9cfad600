#pragma once
// batch_norm and relu (ops/norm.h, ops/unary.h) out of elementary ops.
#include "engine/ops/binary.h"
#include "engine/ops/norm.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"

namespace ntq::test {

/// A comparison with what is not a number is false, so that passes.
inline Tensor relu_twin(const Tensor& x) {
  return where(less_equal(x, 0.0f), Tensor::zeros(x.shape(), DType::f32, x.device()), x);
}

/// Moves the running statistics as the op does.
inline Tensor batch_norm_twin(const Tensor& x, const BatchNormArgs& args) {
  const int64_t channels = x.size(-1), rows = x.numel() / channels;
  const Tensor flat = reshape(x, {rows, channels});
  Tensor center = args.running_mean, var = args.running_var;
  if (args.training) {
    center = mean(flat, {0});
    var = mean(square(sub(flat, center)), {0});
    const auto move = [&](Tensor running, const Tensor& batch) {
      const Tensor to = scale(batch.detach().view({channels}), args.momentum);
      running.copy_from(add(scale(running, 1 - args.momentum), to));
    };
    move(args.running_mean, center);
    move(args.running_var, scale(var, static_cast<float>(rows) / static_cast<float>(rows - 1)));
  }
  const Tensor normal = div(sub(flat, center), sqrt(add(var, args.eps)));
  Tensor y = reshape(add(mul(normal, args.gamma), args.beta), x.shape());
  if (args.residual) y = add(y, args.residual);
  return args.relu ? relu_twin(y) : y;
}

}  // namespace ntq::test
