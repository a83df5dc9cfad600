#include "train/evaluate.h"

#include <doctest/doctest.h>

#include <limits>

#include "models/model.h"

using namespace ntq;

namespace {

Tensor labels(std::vector<int32_t> values) {
  return Tensor::from<int32_t>({static_cast<int64_t>(values.size())}, std::span<const int32_t>(values));
}

}  // namespace

TEST_CASE("top-k counts images whose label is among the k highest logits") {
  const Tensor logits = Tensor::from({3, 3}, {3, 2, 1, 1, 2, 3, 1, 3, 2});
  CHECK(count_top_k(logits, labels({0, 0, 2}), 1) == 1);
  CHECK(count_top_k(logits, labels({0, 0, 2}), 2) == 2);
  CHECK(count_top_k(logits, labels({0, 0, 2}), 5) == 3);
}

TEST_CASE("of equal logits the first class wins, and NaN never does") {
  const Tensor equal = Tensor::full({2, 4}, 0.5f);
  CHECK(count_top_k(equal, labels({0, 3}), 1) == 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(count_top_k(Tensor::full({1, 2}, nan), labels({0}), 1) == 0);
  CHECK(count_top_k(Tensor::from({1, 2}, {1, nan}), labels({0}), 1) == 0);
}

TEST_CASE("evaluation covers every image, with and without a last small batch, and keeps the mode") {
  const auto data = open_dataset("synthetic", {}, 10, 21);
  ModelOptions options;
  const auto model = make_model("resnet20", options);
  double first_loss = 0;
  for (const int64_t batch : {7, 8}) {
    DataLoader loader(data.val, {.batch_size = batch, .shuffle = false, .augment = false, .drop_last = false});
    const Scores scores = evaluate(*model, loader);
    CHECK(scores.images == 21);
    CHECK(scores.top5 >= scores.top1);
    CHECK(model->training());
    if (first_loss == 0) first_loss = scores.loss();
    CHECK(scores.loss() == doctest::Approx(first_loss).epsilon(1e-5));
  }
}
