#include "engine/ops/random.h"

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/quantize.h"
#include "engine/ops/unary.h"

namespace ntq {

// Of an error e = 1/4 and without tempering, the noise c sqrt(e) eps of c = 2 is eps, exactly.
Tensor standard_normal(const Shape& shape, const RandomKey& key, Device device) {
  const NoGrad no_grad;
  const QuantizeArgs args{.range = {-1, 1}, .noise = {.c = 2.0f, .k = 0.0f, .key = key}};
  return quantize(Tensor::full(shape, 0.25f, device), Tensor::full({1}, 1.0f, device), args);
}

// exp(-(a^2 + b^2) / 2) of two independent standard normal numbers (Box-Muller, read backwards).
Tensor uniform(const Shape& shape, const RandomKey& key, Device device) {
  const NoGrad no_grad;
  RandomKey other = key;
  other.stream ^= 0x9e3779b9u;
  const Tensor a = standard_normal(shape, key, device), b = standard_normal(shape, other, device);
  return exp(scale(add(square(a), square(b)), -0.5f));
}

}  // namespace ntq
