#include "engine/ops/loss.h"

#include "engine/backend/registry.h"
#include "engine/ops/unary.h"

namespace ntq {

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float smoothing) {
  check(logits.shape().rank() == 2 && logits.numel() > 0, "softmax_cross_entropy: expected logits {N,classes}, found ",
        logits.shape());
  const int64_t rows = logits.size(0), classes = logits.size(1);
  check(labels.shape() == Shape{rows}, "softmax_cross_entropy: logits ", logits.shape(), " need labels of shape {",
        rows, "}, found ", labels.shape());
  check(smoothing >= 0 && smoothing < 1, "softmax_cross_entropy: smoothing must be in [0, 1), found ", smoothing);
  const int32_t* label = labels.data<int32_t>();
  if (labels.on_host()) {
    for (int64_t i = 0; i < rows; ++i)
      check(label[i] >= 0 && label[i] < classes, "softmax_cross_entropy: label ", label[i], " of sample ", i,
            " is outside of [0, ", classes, ")");
  }
  Tensor dlogits = Tensor::empty(logits.shape(), DType::f32, logits.device());
  const double loss =
      backend_for(logits.device()).softmax_cross_entropy(logits.f32(), label, rows, classes, smoothing, dlogits.f32());
  Tensor y = Tensor::full({1}, static_cast<float>(loss), logits.device());
  return record({"softmax_cross_entropy"}, y, {logits},
                [dlogits](const Tensor& dy) { return std::vector<Tensor>{scale(dlogits, dy.item())}; });
}

}  // namespace ntq
