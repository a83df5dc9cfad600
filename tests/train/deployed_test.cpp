// A quantized network is evaluated as it is deployed: the logits are the definition's, whatever computes them.
#include "train/deployed.h"

#include <doctest/doctest.h>

#include <cstring>

#include "base/isa.h"
#include "engine/backend/cpu_settings.h"
#include "engine/ops/unary.h"
#include "export/lower.h"
#include "infer/ntqi.h"
#include "tests/support/deploy_oracle.h"
#include "tests/support/files.h"
#include "tests/train/tiny.h"
#include "train/calibrate.h"
#include "train/evaluate.h"
#include "train/loop.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// Two convolutions and a classifier, of as many channels as vectors have and more; the image is not quantized.
struct Narrow : Module {
  std::shared_ptr<Conv2d> first, second;
  std::shared_ptr<Linear> fc;
  Narrow(const std::string& method, int weight_bits, int input_bits) {
    const QuantSpec weight{.method = method, .bits = weight_bits};
    const QuantSpec input{.method = method, .bits = input_bits, .is_signed = false, .is_weight = false};
    first = register_module(
        "first", std::make_shared<Conv2d>(Conv2dOptions{
                     .in_channels = 3, .out_channels = 24, .stride = 2, .weight_quant = weight, .name = "first"}));
    second = register_module("second", std::make_shared<Conv2d>(Conv2dOptions{.in_channels = 24,
                                                                              .out_channels = 40,
                                                                              .stride = 2,
                                                                              .padding = 1,
                                                                              .weight_quant = weight,
                                                                              .input_quant = input,
                                                                              .name = "second"}));
    fc = register_module(
        "fc", std::make_shared<Linear>(LinearOptions{
                  .in_features = 40, .out_features = 10, .weight_quant = weight, .input_quant = input, .name = "fc"}));
  }
  Tensor forward(const Tensor& x) override {
    return fc->forward(global_avg_pool(relu(second->forward(relu(first->forward(x))))));
  }
};

std::vector<float> floats_of(const Tensor& images, const infer::Model& model, int64_t batch, int threads) {
  set_cpu_threads(threads);
  infer::Workspace work(model, batch, cpu_parallel());
  std::vector<float> out(static_cast<size_t>(images.size(0) * model.classes()));
  for (int64_t i = 0; i < images.size(0); i += batch) {
    const int64_t count = std::min(batch, images.size(0) - i);
    model.run(images.rows(i, i + count).to_vector().data(), count, out.data() + i * model.classes(), work);
  }
  return out;
}

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

TEST_CASE("layers of floats: a packed file gives evaluation's logits, on every instruction set, for any batch") {
  struct Of {
    std::string method;
    int weight_bits, input_bits;
  };
  const TempFolder folder;
  const DatasetPair data = open_dataset("synthetic", {}, 10, 16);
  DataLoader loader(data.val, {.batch_size = 5, .workers = 0, .shuffle = false, .augment = false, .drop_last = false});
  DataLoader all(data.val, {.batch_size = 16, .workers = 0, .shuffle = false, .augment = false, .drop_last = false});
  all.start(0);
  const Tensor images = all.next()->images;
  const int before = cpu_threads();
  for (const Of& of : {Of{"ntq", 2, 32}, Of{"lsq", 8, 32}, Of{"lq-nets", 2, 2}, Of{"lcq", 3, 3}, Of{"apot", 4, 4},
                       Of{"dorefa", 4, 32}, Of{"diffq", 4, 32}}) {
    CAPTURE(of.method);
    Narrow network(of.method, of.weight_bits, of.input_bits);
    network.train();
    network.forward(images);
    for (auto [name, tensor] : network.named_parameters()) {  // LCQ's curve is straight at first
      if (name.ends_with("theta")) tensor.f32()[0] = 1;
    }
    std::vector<float> expected;
    const Scores scores = evaluate(network, loader, {}, [&](const Tensor& logits, const Tensor&) {
      const std::vector<float> batch = logits.to_vector();
      expected.insert(expected.end(), batch.begin(), batch.end());
    });
    CAPTURE(scores.arithmetic);
    CHECK(scores.arithmetic.starts_with("3 layers in floats: first (its input is not quantized"));

    infer::write_ntqi(folder / "m.ntqi", lower(network, {32, 32, 3}).graph);
    const infer::Graph graph = infer::read_ntqi(folder / "m.ntqi");
    std::vector<float> oracle;
    for (int64_t i = 0; i < 2; ++i) {
      const auto values = oracle_run(graph, images.rows(i, i + 1).to_vector()).outputs.back().values;
      oracle.insert(oracle.end(), values.begin(), values.end());
    }
    CHECK(std::memcmp(oracle.data(), expected.data(), oracle.size() * sizeof(float)) == 0);
    for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
      CAPTURE(isa);
      const infer::Model model(graph, "m.ntqi", isa);
      for (const int64_t batch : {1, 7, 16}) {
        for (const int threads : {1, 2, 3}) CHECK(floats_of(images, model, batch, threads) == expected);
      }
    }
    set_cpu_threads(before);
  }
}

TEST_CASE("a network with an op that has no deployed form is evaluated in floats, and says so") {
  struct Bent : Small {
    using Small::Small;
    Tensor forward(const Tensor& x) override {
      return fc->forward(global_avg_pool(tanh(second->forward(first->forward(x)))));
    }
  };
  Training t = tiny_training(4);
  t.model = std::make_shared<Bent>(4, 3, 10);
  calibrate_steps(*t.model, *t.train_loader, 1);
  CHECK(evaluate(*t.model, *t.val_loader).arithmetic == "float32 (second: the op tanh cannot be deployed)");
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
