#include "train/evaluate.h"

#include <doctest/doctest.h>

#include "models/model.h"

using namespace ntq;

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
