#include "engine/ops/norm.h"

#include <cmath>
#include <limits>

#include "engine/backend/registry.h"

namespace ntq {
namespace {

/// Not a number for a variance that is not finite: its inverse, 0, would hide an overflow behind outputs of beta.
float inverse_std(float var, float eps) {
  return std::isfinite(var) ? 1.0f / std::sqrt(var + eps) : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

Tensor batch_norm(const Tensor& x, const BatchNormArgs& args) {
  check(x.shape().rank() >= 2, "batch_norm: expected {...,C}, found ", x.shape());
  const int64_t channels = x.size(-1), rows = channels ? x.numel() / channels : 0;
  for (const Tensor& t : {args.gamma, args.beta, args.running_mean, args.running_var}) {
    check(t.shape() == Shape{channels}, "batch_norm: x ", x.shape(), " needs parameters and statistics of shape {",
          channels, "}, found ", t.shape());
  }
  check(!args.residual || args.residual.shape() == x.shape(), "batch_norm: the residual must have the shape of x, ",
        x.shape());
  check(!args.training || rows > 1, "batch_norm: training needs more than one value per channel, found x ", x.shape());

  Backend& backend = backend_for(x.device());
  Tensor mean = Tensor::empty({channels}), inv_std = Tensor::empty({channels});
  if (args.training) {
    Tensor var = Tensor::empty({channels});
    backend.batch_norm_stats(x.f32(), rows, channels, mean.f32(), var.f32());
    const float unbias = static_cast<float>(static_cast<double>(rows) / static_cast<double>(rows - 1));
    for (int64_t c = 0; c < channels; ++c) {
      float& run_mean = args.running_mean.f32()[c];
      float& run_var = args.running_var.f32()[c];
      run_mean = (1 - args.momentum) * run_mean + args.momentum * mean.f32()[c];
      run_var = (1 - args.momentum) * run_var + args.momentum * (var.f32()[c] * unbias);
      inv_std.f32()[c] = inverse_std(var.f32()[c], args.eps);
    }
  } else {
    mean.copy_from(args.running_mean);
    for (int64_t c = 0; c < channels; ++c) inv_std.f32()[c] = inverse_std(args.running_var.f32()[c], args.eps);
  }

  Tensor y = Tensor::empty(x.shape(), DType::f32, x.device());
  backend.batch_norm_apply(x.f32(), mean.f32(), inv_std.f32(), args.gamma.f32(), args.beta.f32(),
                           args.residual ? args.residual.f32() : nullptr, args.relu, rows, channels, y.f32());

  OpInfo op{"batch_norm"};
  if (graph_is_recorded()) op.attributes = {{"eps", double{args.eps}}, {"relu", int64_t{args.relu}}};
  return record(op, y, {x, args.gamma, args.beta, args.residual, args.running_mean, args.running_var},
                [=, x = x.detach(), mask = args.relu ? y.detach() : Tensor(), gamma = args.gamma.detach(),
                 training = args.training, want_residual = args.residual.requires_grad()](const Tensor& dy) {
                  Tensor dx = Tensor::empty(x.shape(), DType::f32, dy.device());
                  Tensor dgamma = Tensor::empty({channels}), dbeta = Tensor::empty({channels});
                  // Without a ReLU the residual's gradient is dy itself.
                  Tensor dresidual = want_residual && mask ? Tensor::empty(x.shape(), DType::f32, dy.device())
                                     : want_residual       ? dy
                                                           : Tensor();
                  float* masked = want_residual && mask ? dresidual.f32() : nullptr;
                  const auto gradient = training ? &Backend::batch_norm_grad : &Backend::batch_norm_grad_frozen;
                  (backend_for(dy.device()).*gradient)(x.f32(), mask ? mask.f32() : nullptr, dy.f32(), mean.f32(),
                                                       inv_std.f32(), gamma.f32(), rows, channels, dx.f32(),
                                                       dgamma.f32(), dbeta.f32(), masked);
                  return std::vector<Tensor>{dx, dgamma, dbeta, dresidual, {}, {}};
                });
}

}  // namespace ntq
