// A quantized network is evaluated as it is deployed: the logits are the definition's, whatever computes them.
#include "train/deployed.h"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/backend/cpu_settings.h"
#include "export/lower.h"
#include "tests/support/deploy_oracle.h"
#include "tests/train/tiny.h"
#include "train/calibrate.h"
#include "train/evaluate.h"
#include "train/loop.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// Trained for two epochs.
Training trained(int bits, float ema = 0) {
  Training t = tiny_training(bits, ema);
  if (bits < 32) calibrate_steps(*t.model, *t.train_loader, 1);
  train(t);
  return t;
}

std::vector<float> logits_of(Training& t) {
  std::vector<float> out;
  evaluate(*t.model, *t.val_loader, {}, [&](const Tensor& logits, const Tensor&) {
    const std::vector<float> batch = logits.to_vector();
    out.insert(out.end(), batch.begin(), batch.end());
  });
  return out;
}

std::vector<float> expected_logits(Training& t) {
  const infer::Graph graph = lower(*t.model, {32, 32, 3}).graph;
  std::vector<float> out;
  t.val_loader->start(0);
  while (const auto batch = t.val_loader->next()) {
    for (int64_t i = 0; i < batch->images.size(0); ++i) {
      const auto values = oracle_run(graph, batch->images.rows(i, i + 1).to_vector()).outputs.back().values;
      out.insert(out.end(), values.begin(), values.end());
    }
  }
  return out;
}

}  // namespace

TEST_CASE("evaluation gives the definition's logits for any number of threads, and leaves a training as it was") {
  for (const int bits : {2, 4, 8}) {
    Training t = trained(bits);
    const std::vector<float> expected = expected_logits(t);
    const int before = cpu_threads();
    for (const int threads : {1, 2, 3}) {
      set_cpu_threads(threads);
      const std::vector<float> found = logits_of(t);
      REQUIRE(found.size() == expected.size());
      CHECK(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)) == 0);
    }
    set_cpu_threads(before);
    CHECK(t.model->training());
  }
}

TEST_CASE("a network says what it is evaluated by") {
  Training t = trained(4);
  CHECK(evaluate(*t.model, *t.val_loader).arithmetic ==
        "2 of 3 layers in integers; in floats: fc (its input is not quantized; its weights are not quantized)");
  enable_quantizers(*t.model, false);
  CHECK(evaluate(*t.model, *t.val_loader).arithmetic == "float32 (full precision)");
  Training fp = trained(32);
  CHECK(evaluate(*fp.model, *fp.val_loader).arithmetic == "float32 (full precision)");
  const Training fresh = tiny_training(4);
  CHECK(as_deployed(*fresh.model, {1, 32, 32, 3}).network == nullptr);
  CHECK(as_deployed(*fresh.model, {1, 32, 32, 3}).arithmetic == "float32 (the step of first.input_quant is not set)");
  Deployed deployed(infer::Model(lower(*(enable_quantizers(*t.model, true), t.model), {32, 32, 3}).graph));
  CHECK(evaluate(deployed, *t.val_loader).arithmetic == "2 of 3 layers in integers");
  CHECK(evaluate(deployed, *t.val_loader).loss() == evaluate(*t.model, *t.val_loader).loss());
  CHECK_THROWS_WITH_AS(deployed.forward(Tensor::zeros({1, 8, 8, 3})), doctest::Contains("expected images {N,32,32,3}"),
                       std::invalid_argument);
}

TEST_CASE("the weight average is evaluated as it would be deployed") {
  Training t = tiny_training(4, 0.9f);
  calibrate_steps(*t.model, *t.train_loader, 1);
  double told = 0;
  train(t, {}, {.epoch = [&](const EpochScores& e) { told = e.ema->loss(); }});
  t.ema->swap();
  CHECK(told == evaluate(*t.model, *t.val_loader).loss());
  t.ema->swap();
}
