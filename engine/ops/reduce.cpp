#include "engine/ops/reduce.h"

#include "engine/backend/backend.h"

namespace ntq {
namespace {

Tensor scaled_sum(const Tensor& x, double factor) {
  const double total = backend_for(x.device()).sum(x.f32(), x.numel());
  Tensor y = Tensor::full({1}, static_cast<float>(total * factor), x.device());
  return record(y, {x}, [shape = x.shape(), factor](const Tensor& dy) {
    return std::vector<Tensor>{Tensor::full(shape, static_cast<float>(dy.item() * factor), dy.device())};
  });
}

}  // namespace

Tensor sum(const Tensor& x) { return scaled_sum(x, 1.0); }

Tensor mean(const Tensor& x) {
  check(x.numel() > 0, "mean: the tensor is empty");
  return scaled_sum(x, 1.0 / static_cast<double>(x.numel()));
}

}  // namespace ntq
