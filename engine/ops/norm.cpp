#include "engine/ops/norm.h"

#include "engine/ops/on_device.h"

namespace ntq {
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

  const auto per_channel = [channels, device = x.device()] { return Tensor::empty({channels}, DType::f32, device); };
  const auto backend = [&](Primitive primitive) -> Backend& {
    return backend_for("batch_norm", primitive, {x, args.residual},
                       {args.gamma, args.beta, args.running_mean, args.running_var});
  };
  Tensor mean = per_channel(), inv_std = per_channel();
  if (args.training) {
    backend(Primitive::batch_norm_stats)
        .batch_norm_stats(x.view(), {mean.view(), inv_std.view(), args.running_mean.view(), args.running_var.view(),
                                     args.momentum, args.eps});
  } else {
    mean.copy_from(args.running_mean);
    backend_for("batch_norm", Primitive::inverse_std, {args.running_var})
        .inverse_std(args.running_var.view(), args.eps, inv_std.view());
  }

  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  NormArgs inputs{x.view(), mean.view(), inv_std.view(), args.gamma.view(), args.beta.view()};
  if (args.residual) inputs.residual = args.residual.view();
  inputs.relu = args.relu;
  backend(Primitive::batch_norm_apply).batch_norm_apply(inputs, y.view());

  OpInfo op{"batch_norm"};
  if (graph_is_recorded()) op.attributes = {{"eps", double{args.eps}}, {"relu", int64_t{args.relu}}};
  // The ReLU's mask: the gradient finds it again from x, or, with a residual, in y, which what follows keeps anyway.
  return record(op, y, {x, args.gamma, args.beta, args.residual, args.running_mean, args.running_var},
                [per_channel, mean, inv_std, x = x.detach(), mask = args.relu && args.residual ? y.detach() : Tensor(),
                 gamma = args.gamma.detach(), beta = args.beta.detach(), relu = args.relu, frozen = !args.training,
                 want_residual = args.residual.requires_grad()](const Tensor& dy) {
                  Tensor dgamma = per_channel(), dbeta = per_channel(), dresidual;
                  if (want_residual) dresidual = relu ? gradient_room(dy) : dy;  // without a ReLU it is dy itself
                  const Tensor dx =
                      want_residual ? Tensor::empty(x.shape(), x.dtype(), dy.device()) : gradient_room(dy);
                  NormArgs in{x.view(), mean.view(), inv_std.view(), gamma.view(), beta.view()};
                  in.relu = relu;
                  if (mask) in.y = mask.view();
                  in.dy = dy.view();
                  in.frozen = frozen;
                  NormGrads out{dx.view(), dgamma.view(), dbeta.view()};
                  if (relu && want_residual) out.d_residual = dresidual.view();
                  backend_for("batch_norm", Primitive::batch_norm_grad, {x, dy}, {gamma}).batch_norm_grad(in, out);
                  return std::vector<Tensor>{dx, dgamma, dbeta, dresidual, {}, {}};
                });
}

}  // namespace ntq
