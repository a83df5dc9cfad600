#include "train/step.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"
#include "optim/adam.h"
#include "quant/step_quantizer.h"
#include "tests/support/text.h"
#include "tests/train/small.h"

using namespace ntq;
using ntq::test::contains;
using ntq::test::Small;
using ntq::test::state_of;

namespace {

Batch batch_of(int64_t images) {
  const std::vector<int32_t> labels(static_cast<size_t>(images), 1);
  return {Tensor::full({images, 4, 4, 2}, 1.0f), Tensor::from({images}, std::span<const int32_t>(labels))};
}

StepResult result_of(float loss, int64_t correct, int64_t images) {
  return {Tensor::full({1}, loss), Tensor::from({1}, std::span<const int64_t>(&correct, 1)), images};
}

}  // namespace

TEST_CASE("a step takes any loss and any optimizer") {
  Small model(32);
  Adam adam(model.parameters(), {});
  const Batch batch = batch_of(4);
  const LossFn squares = [](const Tensor& logits, const Batch&) { return mean(square(logits)); };
  double last = INFINITY;
  for (int i = 0; i < 3; ++i) {
    const StepResult result = train_step(model, adam, batch, squares, 0.01f);
    CHECK(static_cast<double>(result.loss.item()) < last);
    last = static_cast<double>(result.loss.item());
    CHECK(result.images == 4);
  }
  const LossFn no_mean = [](const Tensor& logits, const Batch&) { return square(logits); };
  CHECK_THROWS_AS(train_step(model, adam, batch, no_mean, 0.01f), std::invalid_argument);
}

TEST_CASE("a batch without images changes nothing") {
  Small model(32);
  Adam adam(model.parameters(), {});
  const auto before = model.state_dict()[0].second.to_vector();
  CHECK(train_step(model, adam, batch_of(0), cross_entropy(), 0.01f).images == 0);
  CHECK(model.state_dict()[0].second.to_vector() == before);
}

TEST_CASE("a loss that is not finite is found before the update") {
  Small model(32);
  Adam adam(model.parameters(), {});
  state_of(model, "second.weight").fill(1e38f);
  state_of(model, "first.weight").fill(1e3f);
  const std::string message =
      test::error_of<DivergedError>([&] { train_step(model, adam, batch_of(2), cross_entropy(), 0.01f); });
  CHECK(message == "the loss is not a number; first: output of second (conv2d)");
  CHECK(model.second->weight().to_vector()[0] == 1e38f);
}

TEST_CASE("a step adds what quantizers ask of the loss, and is counted for their draws") {
  struct Priced : StepQuantizer {
    using StepQuantizer::StepQuantizer;
    Tensor penalty() const override { return mul(grid().step, 2.0f); }
  };
  struct Net : Module {
    Net() {
      QuantSpec spec{.method = "lsq", .bits = 4, .name = "q"};
      spec.settings = complete_settings(quant_method("lsq"), true, {});
      q = register_module("q", std::make_shared<Priced>(spec));
    }
    Tensor forward(const Tensor& x) override { return reshape(q->forward(x), {x.size(0), 32}); }
    std::shared_ptr<Quantizer> q;
  } net;
  Adam adam(net.parameters(), {});
  const Batch batch = batch_of(2);
  const LossFn nothing = [](const Tensor& logits, const Batch&) { return scale(sum(logits), 0.0f); };
  net.forward(batch.images);
  const float step = net.q->step().item();
  CHECK(train_step(net, adam, batch, nothing, 0.01f).loss.item() == 2 * step);
  CHECK(net.q->step().item() < step);
  CHECK(net.q->training_step() == 1);
  CHECK_THROWS_AS(train_step(
                      net, adam, batch, [](const Tensor&, const Batch&) { return Tensor(); }, 0.01f),
                  std::invalid_argument);
  CHECK(net.q->training_step() == 1);  // no update, no step
}

TEST_CASE("results wait until there are enough of them, and come in order") {
  std::vector<StepScore> seen;
  StepResults results(3, [&](const StepScore& s) { seen.push_back(s); });
  results.add(1, result_of(1.5f, 2, 4));
  results.add(2, {});
  CHECK(seen.empty());
  results.add(3, result_of(0.5f, 3, 4));
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].step == 1);
  CHECK(seen[0].loss == 1.5);
  CHECK(seen[0].correct == 2);
  CHECK(seen[1].images == 0);
  CHECK(seen[2].step == 3);
  results.add(4, result_of(1, 1, 4));
  results.read();
  results.read();
  CHECK(seen.size() == 4);
}
