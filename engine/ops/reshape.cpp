#include "engine/ops/reshape.h"

namespace ntq {

Tensor reshape(const Tensor& x, const Shape& shape) {
  return record({"reshape"}, x.view(shape), {x},
                [before = x.shape()](const Tensor& dy) { return std::vector<Tensor>{dy.view(before)}; });
}

}  // namespace ntq
