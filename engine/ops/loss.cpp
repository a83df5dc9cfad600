#include "engine/ops/loss.h"

#include "engine/ops/binary.h"
#include "engine/ops/on_device.h"

namespace ntq {
namespace {

void check_labels(const char* op, const Tensor& logits, const Tensor& labels) {
  check(logits.shape().rank() == 2 && logits.numel() > 0, op, ": expected logits {N,classes}, found ", logits.shape());
  const int64_t rows = logits.size(0), classes = logits.size(1);
  check(labels.shape() == Shape{rows} && labels.dtype() == DType::i32, op, ": logits ", logits.shape(),
        " need int32 labels of shape {", rows, "}, found ", dtype_name(labels.dtype()), " ", labels.shape());
  check(labels.device() == logits.device(), op, ": logits are on ", logits.device(), ", labels on ", labels.device());
  if (!labels.on_host()) return;  // they would have to be read back
  const int32_t* label = labels.data<int32_t>();
  for (int64_t i = 0; i < rows; ++i)
    check(label[i] >= 0 && label[i] < classes, op, ": label ", label[i], " of sample ", i, " is outside of [0, ",
          classes, ")");
}

}  // namespace

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float smoothing) {
  check_labels("softmax_cross_entropy", logits, labels);
  check(smoothing >= 0 && smoothing < 1, "softmax_cross_entropy: smoothing must be in [0, 1), found ", smoothing);
  Tensor dlogits = Tensor::empty(logits.shape(), DType::f32, logits.device());
  Tensor y = Tensor::empty({1}, DType::f32, logits.device());
  backend_for("softmax_cross_entropy", Primitive::softmax_cross_entropy, {logits})
      .softmax_cross_entropy({logits.view(), labels.view(), smoothing}, y.view(), dlogits.view());
  return record({"softmax_cross_entropy"}, y, {logits},
                [dlogits](const Tensor& dy) { return std::vector<Tensor>{mul(dlogits, dy)}; });
}

Tensor count_correct(const Tensor& logits, const Tensor& labels, int64_t top) {
  check_labels("count_correct", logits, labels);
  check(top >= 1, "count_correct: top must be at least 1, found ", top);
  Tensor hits = Tensor::empty({1}, DType::i64, logits.device());
  backend_for("count_correct", Primitive::count_correct, {logits})
      .count_correct({logits.view(), labels.view()}, top, hits.view());
  return hits;
}

}  // namespace ntq
