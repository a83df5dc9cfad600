#pragma once
// A training of seconds: Small on 32 synthetic images, 4 steps an epoch.
#include "data/dataset.h"
#include "optim/sgd.h"
#include "tests/train/small.h"
#include "train/training.h"

namespace ntq::test {

inline Training tiny_training(int bits = 32, float ema = 0.0f) {
  const DatasetPair data = open_dataset("synthetic", {}, 32, 16);
  Training t;
  t.model = std::make_shared<Small>(bits, 3, 10);
  t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
  if (ema > 0) t.ema = std::make_unique<WeightAverage>(*t.model, ema);
  t.schedule = {.lr = 0.01f, .epochs = 2};
  set_data(t, data, {.batch_size = 8, .workers = 0});
  return t;
}

}  // namespace ntq::test
