// DiffQ against a vector computed in float64 with the formulas of its code, and its bits.
#include "quant/methods/diffq.h"

#include <doctest/doctest.h>

#include "engine/ops/random.h"
#include "engine/ops/unary.h"
#include "quant/method.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::same_values;

namespace {

std::shared_ptr<Quantizer> diffq(const Shape& shape, Settings settings = {}, int bits = 4) {
  settings.emplace("min_size", 0);
  settings.emplace("group_size", 4);
  return make_quantizer({.method = "diffq",
                         .bits = bits,
                         .shape = shape,
                         .seed = 5,
                         .name = "conv1.weight_quant",
                         .settings = std::move(settings)});
}

Tensor logits(const Quantizer& q) { return q.parameters().at(0).value; }

}  // namespace

TEST_CASE("diffq: the vector's values and gradients, 4 bits") {
  Tensor w = Tensor::from({4}, {-.5f, .1f, .3f, .9f}).set_requires_grad(true);
  Tensor logit = Tensor::from({1, 1}, {-1.7047481f}).set_requires_grad(true);
  const Tensor y = diffq_noised(w, add(scale(sigmoid(logit), 13), 2.0f), Tensor::from({4}, {.4f, -.6f, 1, -.2f}));
  check_close(y, {-.4626667, .044, .3933333, .8813333});
  sum(mul(y, Tensor::from({4}, {1, -2, .5f, 1}))).backward();
  check_close(w.grad(), {.8733333, -2, .5, 1.1266667});
  check_close(logit.grad(), {-.2218829});
}

TEST_CASE("diffq: training draws new noise at each optimizer step, of the key's numbers") {
  const auto q = diffq({4});
  check_close(logits(*q), {-1.7047481}, 1e-6);
  const Tensor w = Tensor::from({4}, {-.5f, .1f, .3f, .9f});
  const auto expected = [&](uint32_t step) {
    const RandomKey key{.seed = 5, .stream = stream_id("conv1.weight_quant.noise"), .step = step};
    return diffq_noised(w, Tensor::full({1, 1}, 4), scale(standard_normal({4}, key), .5f)).to_vector();
  };
  const auto check_step = [&](uint32_t step) {
    const std::vector<float> values = expected(step);
    check_close(q->forward(w), {values.begin(), values.end()});
  };
  check_step(0);
  count_optimizer_step(*q);
  check_step(1);
}

TEST_CASE("diffq: the vector's evaluation and size") {
  const auto q = diffq({4}, {{"penalty", 1}});
  const Tensor w = Tensor::from({4}, {-.5f, .1f, .3f, .9f});
  const Tensor size = q->penalty();
  CHECK(size.item() == doctest::Approx(1.0728836e-5));
  CHECK(q->stored_bits(4) == 90);
  size.backward();
  CHECK(logits(*q).grad().item() == doctest::Approx(8.0695519e-7).epsilon(1e-5));
  q->eval();
  check_close(q->forward(w), {-.5, .06, .34, .9});
  CHECK(q->learned_bits().value() == 4);
}

TEST_CASE("diffq: gradients are those of the values, in both parameterisations and kinds of noise") {
  for (const char* parameter : {"bits", "noise"}) {
    for (const char* noise : {"gaussian", "uniform"}) {
      const auto q = diffq({3, 4}, {{"parameter", parameter}, {"noise", noise}, {"penalty", 3e4}}, 3);
      const Tensor w = scale(test::some_values({3, 4}), 2);
      CHECK(q->learned_bits().value() == 3);
      const auto loss = [&] { return add(test::probe_loss(q->forward(w)), q->penalty()); };
      CHECK(test::numeric_grad_error(loss, w, 1e-3f) < 2e-3);
      CHECK(test::numeric_grad_error(loss, logits(*q), 1e-2f) < 2e-3);
    }
  }
}

TEST_CASE("diffq: the penalty takes bits away, and evaluation follows") {
  const auto q = diffq({64}, {{"penalty", 1e4}}, 8);
  const Tensor w = test::some_values({64});
  for (int step = 0; step < 200; ++step) {
    Tensor l = logits(*q);
    l.zero_grad();
    quant_penalty(*q).backward();
    const NoGrad no_grad;
    l.copy_from(sub(l, scale(l.grad(), 10)));
  }
  CHECK(q->learned_bits().value() < 4);
  CHECK(q->stored_bits(64) < 64 * 4 + 72 + 16 * 3);
  CHECK(q->parameters()[0].traits.optimizer == "adam");
  CHECK_FALSE(q->parameters()[0].traits.decay);
}

TEST_CASE("diffq: small weights stay as they are; what it cannot have is refused") {
  const auto q = diffq({8, 8}, {{"min_size", 0.01}});
  const Tensor w = test::some_values({8, 8});
  CHECK(same_values(q->forward(w), w));
  CHECK(q->parameters().empty());
  CHECK(q->learned_bits().value() == 32);
  CHECK(q->stored_bits(64) == 64 * 32);
  CHECK_FALSE(q->penalty().defined());
  const auto refused = [](const Shape& shape, Settings settings, const char* message) {
    CHECK_THROWS_WITH_AS(diffq(shape, std::move(settings)), doctest::Contains(message), std::invalid_argument);
  };
  refused({6}, {}, "conv1.weight_quant: diffq: group_size must divide the 6 weights, found 4");
  refused({8}, {{"min_bits", 9}, {"max_bits", 8}}, "min_bits must be below max_bits");
  refused({8}, {{"min_bits", 5}}, "the first bits must be min_bits 5 to max_bits 15, found 4");
  CHECK_THROWS_WITH_AS(make_quantizer({.method = "diffq", .bits = 4, .is_weight = false, .name = "conv1"}),
                       doctest::Contains("conv1: diffq does not quantize inputs"), std::invalid_argument);
}
