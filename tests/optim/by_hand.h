#pragma once
// Parameters and gradients by hand.
#include <initializer_list>

#include "optim/optimizer.h"

namespace ntq::test {

inline Tensor parameter(std::initializer_list<float> values) {
  return Tensor::from({static_cast<int64_t>(values.size())}, values).set_requires_grad(true);
}

inline void step_with(Optimizer& optimizer, Tensor& w, std::initializer_list<float> grad, float lr) {
  w.set_grad(Tensor::from(w.shape(), grad));
  optimizer.step(lr);
}

}  // namespace ntq::test
