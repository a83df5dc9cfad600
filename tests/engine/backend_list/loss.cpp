// The loss with its gradient, and hits among the highest logits.
#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {

BackendCases loss_cases() {
  BackendCases list;
  for (const int64_t classes : {1, 2, 7, 8, 10, 15, 16, 17, 100, 1000}) {
    for (const int64_t rows : {1, 3, 64, 500}) {
      for (const bool wild : {false, true}) {
        Tensor logits = some_values({rows * classes}, 1), labels = Tensor::empty({rows}, DType::i32);
        for (int64_t i = 0; i < logits.numel(); ++i) logits.f32()[i] *= 8;
        if (wild) logits.f32()[logits.numel() / 2] = std::nanf(""), logits.f32()[0] = 1000;
        for (int64_t i = 0; i < rows; ++i) labels.data<int32_t>()[i] = static_cast<int32_t>(i * 7 % classes);
        const std::string sizes = concat(rows, " rows of ", classes, wild ? ", wild" : "");
        for (const float smoothing : {0.0f, 0.1f}) {
          list.push_back({Primitive::softmax_cross_entropy,
                          concat(sizes, ", smoothing ", smoothing),
                          {logits, labels},
                          {output(1), output(logits.numel())},
                          [smoothing](Backend& b, const Inputs& in, const Outputs& out) {
                            b.softmax_cross_entropy({in[0], in[1], smoothing}, out[0], out[1]);
                          },
                          1e-5});
        }
        for (const int64_t top : {1, 5}) {
          list.push_back({Primitive::count_correct,
                          concat(sizes, ", top ", top),
                          {logits, labels},
                          {output(1, DType::i64)},
                          [top](Backend& b, const Inputs& in, const Outputs& out) {
                            b.count_correct({in[0], in[1]}, top, out[0]);
                          }});
        }
      }
    }
  }
  return list;
}

}  // namespace ntq::test
