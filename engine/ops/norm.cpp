#include "engine/ops/norm.h"

#include <utility>

#include "engine/ops/on_device.h"

namespace ntq {
namespace {

Tensor per_channel(const Tensor& x) { return Tensor::empty({x.size(-1)}, DType::f32, x.device()); }

Backend& norm_backend(const char* op, Primitive primitive, const Tensor& x, const BatchNormArgs& args) {
  return backend_for(op, primitive, {x, args.residual}, {args.gamma, args.beta, args.running_mean, args.running_var});
}

/// What a norm reads, and its gradient again.
struct NormState {
  Tensor x, mean, inv_std, gamma, beta, residual, y;
  bool relu, frozen, want_residual;

  NormArgs views() const {
    NormArgs out{x.view(), mean.view(), inv_std.view(), gamma.view(), beta.view()};
    if (residual) out.residual = residual.view();
    if (y) out.y = y.view();
    out.relu = relu;
    out.frozen = frozen;
    return out;
  }
};

/// Checks the arguments; in training it takes the batch's statistics and moves the running ones.
NormState begin_norm(const char* op, const Tensor& x, const BatchNormArgs& args) {
  check(x.shape().rank() >= 2, op, ": expected {...,C}, found ", x.shape());
  const int64_t channels = x.size(-1), rows = channels ? x.numel() / channels : 0;
  for (const Tensor& t : {args.gamma, args.beta, args.running_mean, args.running_var}) {
    check(t.shape() == Shape{channels}, op, ": x ", x.shape(), " needs parameters and statistics of shape {", channels,
          "}, found ", t.shape());
  }
  check(!args.residual || args.residual.shape() == x.shape(), op, ": the residual must have the shape of x, ",
        x.shape());
  check(!args.training || rows > 1, op, ": training needs more than one value per channel, found x ", x.shape());
  NormState out{.x = x.detach(),
                .mean = per_channel(x),
                .inv_std = per_channel(x),
                .gamma = args.gamma.detach(),
                .beta = args.beta.detach(),
                .residual = args.residual ? args.residual.detach() : Tensor(),
                .y = {},
                .relu = args.relu,
                .frozen = !args.training,
                .want_residual = args.residual.requires_grad()};
  if (args.training) {
    norm_backend(op, Primitive::batch_norm_stats, x, args)
        .batch_norm_stats(x.view(), {out.mean.view(), out.inv_std.view(), args.running_mean.view(),
                                     args.running_var.view(), args.momentum, args.eps});
  } else {
    out.mean.copy_from(args.running_mean);
    backend_for(op, Primitive::inverse_std, {args.running_var})
        .inverse_std(args.running_var.view(), args.eps, out.inv_std.view());
  }
  return out;
}

/// Gradients of what a norm reads, to be written; `masked`: the residual's is not just dy.
struct NormGradients {
  Tensor dx, dgamma, dbeta, dresidual;
  bool masked;

  /// `dy_codes`: of codes of a value that has other readers too, or undefined.
  NormGradients(const NormState& s, const Tensor& dy, bool is_masked, const Tensor& dy_codes = {})
      : dgamma(per_channel(s.x)), dbeta(per_channel(s.x)), masked(s.want_residual && is_masked) {
    if (s.want_residual) dresidual = is_masked ? gradient_room(dy) : dy;
    dx = !s.want_residual ? gradient_room(dy)
         : dy_codes       ? gradient_room(dy_codes)
                          : Tensor::empty(dy.shape(), dy.dtype(), dy.device());
  }
  NormGrads views() const { return {dx.view(), dgamma.view(), dbeta.view(), masked ? dresidual.view() : View()}; }
};

}  // namespace

Tensor batch_norm(const Tensor& x, const BatchNormArgs& args) {
  NormState state = begin_norm("batch_norm", x, args);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  norm_backend("batch_norm", Primitive::batch_norm_apply, x, args).batch_norm_apply(state.views(), y.view());
  // The ReLU's mask: the gradient finds it again from x or, with a residual, in y, which what follows keeps anyway.
  state.residual = {};
  if (args.relu && args.residual) state.y = y.detach();
  OpInfo op{"batch_norm"};
  if (graph_is_recorded()) op.attributes = {{"eps", double{args.eps}}, {"relu", int64_t{args.relu}}};
  const auto codes = std::make_shared<CodesGradient>();
  y = record(op, y, {x, args.gamma, args.beta, args.residual, args.running_mean, args.running_var},
             [state, codes](const Tensor& dy) {
               const CodesGradient left = std::exchange(*codes, {});
               const NormGradients out(state, dy, state.relu || left.dy, left.dy);
               std::vector<Tensor> grads{out.dx, out.dgamma, out.dbeta, out.dresidual, {}, {}};
               NormArgs in = state.views();
               in.dy = dy.view();
               if (!left.dy) {
                 backend_for("batch_norm", Primitive::batch_norm_grad, {state.x, dy}, {state.gamma})
                     .batch_norm_grad(in, out.views());
                 return grads;
               }
               in.y = left.values.view(), in.dy_codes = left.dy.view();
               grads.push_back(Tensor::empty({1}, DType::f32, dy.device()));
               backend_for("batch_norm", Primitive::batch_norm_codes_grad, {state.x, dy, left.dy},
                           {state.gamma, left.steps.step})
                   .batch_norm_codes_grad(in, left.steps.args, left.steps.step.view(), out.views(),
                                          grads.back().view());
               return grads;
             });
  if (y.node()) y.node()->codes = codes;
  return y;
}

Codes batch_norm_codes(const Tensor& x, const BatchNormArgs& args, const PlainSteps& steps) {
  const char* const name = "batch_norm_codes";
  const NormState state = begin_norm(name, x, args);
  check(steps.step.shape() == Shape{1}, name, ": expected one step, {1}, found ", steps.step.shape());
  Codes out = new_kept_codes(name, x, steps);
  norm_backend(name, Primitive::batch_norm_codes, x, args)
      .batch_norm_codes(state.views(), steps.args.range, steps.step.view(), out.values.view(), out.grid.step.view());
  out.values = record({name}, out.values,
                      {x, args.gamma, args.beta, args.residual, args.running_mean, args.running_var, steps.step},
                      [state, name, step = steps.step.detach(), quantizer = steps.args](const Tensor& dy) {
                        const NormGradients grads(state, dy, true);
                        Tensor dstep = Tensor::empty({1}, DType::f32, dy.device());
                        NormArgs in = state.views();
                        in.dy = dy.view();
                        backend_for(name, Primitive::batch_norm_codes_grad, {state.x, dy}, {state.gamma, step})
                            .batch_norm_codes_grad(in, quantizer, step.view(), grads.views(), dstep.view());
                        return std::vector<Tensor>{grads.dx, grads.dgamma, grads.dbeta, grads.dresidual, {}, {}, dstep};
                      });
  return out;
}

}  // namespace ntq
