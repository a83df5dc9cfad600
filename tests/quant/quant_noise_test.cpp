// Quant-Noise against a vector computed in float64 with the formulas of fairseq's scalar form.
#include "quant/methods/quant_noise.h"

#include <doctest/doctest.h>

#include "engine/ops/unary.h"
#include "quant/method.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::same_values;

namespace {

std::shared_ptr<Quantizer> noise_of_weights(Settings settings = {}, bool per_channel = false) {
  return make_quantizer({.method = "quant-noise",
                         .bits = 4,
                         .per_channel = per_channel,
                         .shape = per_channel ? Shape{2, 3} : Shape{},
                         .seed = 5,
                         .name = "conv1.weight_quant",
                         .settings = std::move(settings)});
}

Tensor vector_weights() { return Tensor::from({5}, {-.5f, -.12f, .2f, .41f, 1}); }

}  // namespace

TEST_CASE("quant-noise: the vector, 4 bits") {
  const auto q = noise_of_weights();
  q->eval();
  const Tensor w = vector_weights(), values = q->forward(w);
  check_close(values, {-.5, -.1, .2, .4, 1});
  check_close(q->step(), {.1});
  check_close(q->grid().offset, {-.5});
  const Tensor codes = q->encode(w).values;
  CHECK(std::vector<int>(codes.data<uint8_t>(), codes.data<uint8_t>() + 5) == std::vector<int>{0, 4, 7, 9, 15});

  const Tensor x = vector_weights().set_requires_grad(true), g = Tensor::from({5}, {1, -2, .5f, 1, -1});
  const Tensor y = quant_noised(x, values, Tensor::from({5}, {1, 0, 1, 1, 0}));
  check_close(y, {-.5, -.12, .2, .4, 1});
  sum(mul(y, g)).backward();
  CHECK(same_values(x.grad(), g));
}

TEST_CASE("quant-noise: p of the values are quantized, others at each optimizer step; the gradient passes everywhere") {
  const auto q = noise_of_weights({{"p", 0.2}});
  const Tensor w = test::some_values({5000}).set_requires_grad(true);
  const Tensor y = q->forward(w);
  sum(y).backward();
  CHECK(same_values(w.grad(), Tensor::full({5000}, 1)));
  CHECK(same_values(q->forward(w), y));
  count_optimizer_step(*q);
  const Tensor next = q->forward(w);
  CHECK_FALSE(same_values(next, y));
  q->eval();
  const Tensor hard = q->forward(w);
  int64_t quantized = 0, kept = 0;
  for (int64_t i = 0; i < w.numel(); ++i) {
    quantized += y.f32()[i] == hard.f32()[i] ? 1 : 0;
    kept += y.f32()[i] == w.f32()[i] ? 1 : 0;
  }
  CHECK(quantized + kept == w.numel());
  CHECK(quantized == doctest::Approx(1000).epsilon(0.1));
}

TEST_CASE("quant-noise: the range is that of every update_step-th step, also after a resume") {
  const auto q = noise_of_weights({{"update_step", 2}}), loaded = noise_of_weights({{"update_step", 2}});
  const auto step_of = [&](Quantizer& quantizer, float size) {
    quantizer.forward(scale(vector_weights(), size));
    const float step = quantizer.step().item();
    count_optimizer_step(quantizer);
    return static_cast<double>(step);
  };
  CHECK(step_of(*q, 1) == doctest::Approx(.1));
  CHECK(step_of(*q, 2) == doctest::Approx(.1));
  CHECK(step_of(*q, 3) == doctest::Approx(.3));
  loaded->load_state_dict(q->state_dict());
  CHECK(step_of(*loaded, 4) == doctest::Approx(.3));
  CHECK(step_of(*loaded, 5) == doctest::Approx(.5));
  loaded->eval();
  CHECK(step_of(*loaded, 6) == doctest::Approx(.5));
}

TEST_CASE("quant-noise: calibration takes the range of all batches; inputs are cut off at the limit") {
  const auto q = make_quantizer({.method = "quant-noise", .bits = 4, .is_weight = false, .name = "conv1.input_quant"});
  q->eval();
  calibrate(*q, [&] {
    q->forward(Tensor::from({1, 2}, {-2, 1}));
    q->forward(Tensor::from({1, 2}, {-1, 9}));
  });
  CHECK(q->step().item() == doctest::Approx(7.0 / 15));
  Tensor x = Tensor::from({1, 3}, {-7, 1, 6}).set_requires_grad(true);
  q->train();
  sum(q->forward(x)).backward();
  check_close(x.grad(), {0, 1, 0});
}

TEST_CASE("quant-noise: a symmetric range per channel") {
  const auto q = noise_of_weights({}, true);
  q->eval();
  const Tensor w = Tensor::from({2, 3}, {-.75f, .31f, .07f, 1.5f, -.8f, .1f});
  const Tensor y = q->forward(w);
  check_close(q->step(), {.1, .2});
  check_close(y, {-.8, .3, .1, 1.4, -.8, 0});
  CHECK(same_values(decode(q->encode(w)), y));
}
