#pragma once
// What tests against vectors do with a quantizer.
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "quant/method.h"
#include "tests/support/module.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

namespace ntq::test {

inline std::shared_ptr<Quantizer> weights_of(const char* method, int bits, Settings settings = {}) {
  return make_quantizer({.method = method, .bits = bits, .name = "q", .settings = std::move(settings)});
}
/// Of inputs without negative values.
inline std::shared_ptr<Quantizer> inputs_of(const char* method, int bits, Settings settings = {}) {
  return make_quantizer({.method = method,
                         .bits = bits,
                         .is_signed = false,
                         .is_weight = false,
                         .name = "q",
                         .settings = std::move(settings)});
}

/// Output for x, after backward() of sum(g * output) and the penalty.
inline Tensor run_backward(Quantizer& q, Tensor& x, const Tensor& g) {
  x.set_requires_grad(true);
  const Tensor y = q.forward(x), loss = sum(mul(y, g)), penalty = q.penalty();
  (penalty ? add(loss, penalty) : loss).backward();
  return y;
}

}  // namespace ntq::test
