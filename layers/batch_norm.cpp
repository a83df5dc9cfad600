#include "layers/batch_norm.h"

namespace ntq {
namespace {

const BatchNormOptions& checked(const BatchNormOptions& o) {
  check(o.channels >= 1, "BatchNorm2d: channels must be >= 1, found ", o.channels);
  check(o.momentum >= 0.0f && o.momentum <= 1.0f, "BatchNorm2d: momentum must lie in [0, 1], found ", o.momentum);
  check(o.eps > 0.0f, "BatchNorm2d: eps must be positive, found ", o.eps);
  return o;
}

}  // namespace

BatchNorm2d::BatchNorm2d(const BatchNormOptions& options)
    : options_(checked(options)),
      weight_(register_parameter("weight", Tensor::full({options.channels}, options.initial_weight))),
      bias_(register_parameter("bias", Tensor::zeros({options.channels}))),
      running_mean_(register_buffer("running_mean", Tensor::zeros({options.channels}))),
      running_var_(register_buffer("running_var", Tensor::full({options.channels}, 1.0f))) {}

void BatchNorm2d::set_momentum(float momentum) {
  BatchNormOptions changed = options_;
  changed.momentum = momentum;
  options_ = checked(changed);
}

BatchNormArgs BatchNorm2d::args_for(const Tensor& x) const {
  check(x.defined() && x.shape().rank() >= 2 && x.size(-1) == options_.channels, "BatchNorm2d: input must be {...,",
        options_.channels, "}, found ", x.defined() ? x.shape().str() : "none");
  return {.gamma = weight_,
          .beta = bias_,
          .running_mean = running_mean_,
          .running_var = running_var_,
          .momentum = options_.momentum,
          .eps = options_.eps,
          .training = training()};
}

Tensor BatchNorm2d::run(const Tensor& x, const Tensor& residual, bool relu) {
  BatchNormArgs args = args_for(x);
  args.residual = residual;
  args.relu = relu;
  return batch_norm(x, args);
}

Tensor BatchNorm2d::preview_relu(const Tensor& x) const {
  const NoGrad no_grad;
  BatchNormArgs args = args_for(x);
  args.relu = true;
  args.momentum = 0;
  return batch_norm(x, args);
}

Codes BatchNorm2d::forward_relu_codes(const Tensor& x, const PlainSteps& steps) {
  BatchNormArgs args = args_for(x);
  args.relu = true;
  return batch_norm_codes(x, args, steps);
}

}  // namespace ntq
