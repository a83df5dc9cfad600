#include "engine/ops/random.h"

#include "engine/autograd.h"
#include "engine/ops/quantize.h"
#include "engine/ops/unary.h"

namespace ntq {

// Of an error e = 1/4 and without tempering, the noise c sqrt(e) eps of c = 1/2 is eps / 4, exactly.
Tensor standard_normal(const Shape& shape, const RandomKey& key, Device device) {
  const NoGrad no_grad;
  const QuantizeArgs args{.range = {-1, 1}, .noise = {.c = 0.5f, .k = 0.0f, .key = key}};
  return scale(quantize(Tensor::full(shape, 0.25f, device), Tensor::full({1}, 1.0f, device), args), 4.0f);
}

}  // namespace ntq
