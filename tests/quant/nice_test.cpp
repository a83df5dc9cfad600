// NICE against vectors computed in float64 with the formulas of its code, and its stages.
#include "quant/methods/nice.h"

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

std::shared_ptr<Quantizer> nice(bool is_weight, const std::string& layer, int bits = 3, Settings settings = {}) {
  return make_quantizer({.method = "nice",
                         .bits = bits,
                         .is_signed = is_weight,
                         .is_weight = is_weight,
                         .seed = 3,
                         .name = layer + (is_weight ? ".weight_quant" : ".input_quant"),
                         .settings = std::move(settings)});
}

Tensor vector_weights() { return Tensor::from({6}, {-1.3f, -.52f, .08f, .27f, .61f, 1.05f}); }
Tensor vector_inputs() { return Tensor::from({1, 5}, {-.5f, .2f, .9f, 1.6f, 2.4f}); }

enum class Sums { floats, codes };

// Three layers with a quantizer on the weight and one on the input; residual sums between them.
struct ThreeLayers : Module {
  explicit ThreeLayers(Sums sums = Sums::floats) {
    for (const char* layer : {"a", "b", "c"}) {
      for (const char* sum : {"branch_skip_quant", "skip_quant"}) {
        if (sums == Sums::floats) continue;
        const std::string block = std::string("before_") + layer;
        register_module(block + sum,
                        make_quantizer({.method = "lsq", .bits = 8, .is_weight = false, .name = block + "." + sum}));
      }
      inputs.push_back(register_module(std::string(layer) + "_input", nice(false, layer)));
      weights.push_back(register_module(std::string(layer) + "_weight", nice(true, layer)));
    }
  }
  Tensor forward(const Tensor& x) override { return x; }
  std::vector<std::shared_ptr<Quantizer>> weights, inputs;
};

}  // namespace

TEST_CASE("nice: weights, 3 bits") {
  const auto q = nice(true, "conv1");
  q->eval();
  q->forward(vector_weights());
  check_close(q->step(), {2.9215574 / 3}, 2e-6);
  q->step().fill(.3f);
  const Tensor quantized = q->forward(vector_weights());
  check_close(quantized, {-.9, -.6, 0, .3, .6, .9});

  const Tensor w = vector_weights().set_requires_grad(true), g = Tensor::from({6}, {1, -2, .5f, 1, -1, 2});
  const Tensor u = add(scale(Tensor::from({6}, {.3f, -.5f, .9f, -.8f, .1f, .6f}), .5f), .5f);
  const auto noised = [&](const Tensor& mask) { return nice_noised(w, quantized, q->step(), 3, u, mask); };
  check_close(noised(Tensor::full({6}, 1)), {-.9, -.595, .215, .15, .625, .9});
  const Tensor y = noised(Tensor::from({6}, {0, 1, 0, 1, 0, 1}));
  check_close(y, {-.9, -.595, 0, .15, .6, .9});
  sum(mul(y, g)).backward();
  CHECK(same_values(w.grad(), g));
}

TEST_CASE("nice: inputs, 3 bits, clamped only and quantized") {
  ThreeLayers model;
  const Tensor g = Tensor::from({1, 5}, {1, 2, -1, .5f, 3});
  const auto run = [&](double fraction, const std::vector<double>& values, double clamp_grad) {
    const auto& q = model.inputs[2];
    q->forward(vector_inputs());
    Tensor clamp = q->parameters()[0].value;
    clamp.fill(1.5f);
    clamp.zero_grad();
    set_progress(model, fraction);
    Tensor x = vector_inputs().set_requires_grad(true);
    const Tensor y = q->forward(x);
    check_close(y, values);
    sum(mul(y, g)).backward();
    check_close(x.grad(), {0, 2, -1, 0, 0});
    check_close(clamp.grad(), {clamp_grad}, 1e-6);
  };
  run(0, {0, .2, .9, 1.5, 1.5}, 3.5);
  run(1, {0, .2142857, .8571429, 1.5, 1.5}, 3.547619);
}

TEST_CASE("nice: one layer after the other, by the fraction of the run, sums in no turn; evaluation quantizes all") {
  auto sums = Sums::floats;
  SUBCASE("with sums of floats") {}
  SUBCASE("with sums of codes") { sums = Sums::codes; }
  ThreeLayers model(sums);
  const Tensor w = test::some_values({4000}).set_requires_grad(true), x = test::some_values({1, 4000}, 2);
  const auto hard = [](Quantizer& q, const Tensor& value) {
    q.eval();
    const Tensor out = q.forward(value);
    q.train();
    return out;
  };
  // 'f' full precision (an input: clamped only), 'n' some noise, 'q' quantized.
  const auto state_of_weight = [&](size_t i) {
    Quantizer& q = *model.weights[i];
    const Tensor y = q.forward(w), quantized = hard(q, w);
    if (same_values(y, w)) return 'f';
    if (same_values(y, quantized)) return 'q';
    int64_t noised = 0;
    for (int64_t k = 0; k < w.numel(); ++k) noised += y.f32()[k] == quantized.f32()[k] ? 0 : 1;
    CHECK(noised == doctest::Approx(200).epsilon(0.2));  // 5%
    return 'n';
  };
  const auto states = [&](double fraction) {
    set_progress(model, fraction);
    std::string out;
    for (size_t i = 0; i < 3; ++i) {
      out += state_of_weight(i);
      out += same_values(model.inputs[i]->forward(x), hard(*model.inputs[i], x)) ? 'q' : 'f';
    }
    return out;
  };
  CHECK(states(0) == "nqffff");
  CHECK(states(0.166) == "nqffff");
  CHECK(states(0.17) == "qqnqff");
  CHECK(states(0.34) == "qqqqnq");
  CHECK(states(0.5) == "qqqqqq");
  CHECK(states(1) == "qqqqqq");
}

TEST_CASE("nice: noise is new after each optimizer step; clamped weights keep their gradient") {
  const auto q = nice(true, "conv1");
  const Tensor w = test::some_values({500});
  q->forward(w);
  Tensor far = scale(w, 100).set_requires_grad(true);
  const Tensor y = q->forward(far);
  CHECK(same_values(q->forward(far), y));
  sum(y).backward();
  CHECK(same_values(far.grad(), Tensor::full({500}, 1)));
  const Tensor before = q->forward(w);
  count_optimizer_step(*q);
  CHECK_FALSE(same_values(q->forward(w), before));
}

TEST_CASE("nice: the first clamp is mean + 5 deviations, averaged over batches with momentum 0.9") {
  const auto q = nice(false, "conv1");
  q->eval();
  const Tensor one = Tensor::from({1, 2}, {0, 2}), two = Tensor::from({1, 2}, {0, 4});
  calibrate(*q, [&] {
    q->forward(one);
    q->forward(two);
  });
  const double root = std::sqrt(2.0);
  check_close(q->parameters()[0].value, {.9 * (1 + 5 * root) + .1 * (2 + 10 * root)}, 1e-5);
  CHECK_THROWS_WITH_AS(make_quantizer({.method = "nice", .bits = 4, .is_weight = false, .name = "conv1"}),
                       doctest::Contains("conv1: nice does not quantize inputs that may be negative"),
                       std::invalid_argument);
}

TEST_CASE("nice: biases of 16 bits, of the step of a product; noise on some of them in their layer's stage") {
  const auto input =
      make_quantizer({.method = "lsq", .bits = 4, .is_signed = false, .is_weight = false, .name = "fc.input_quant"});
  input->step().fill(.5f);
  const auto q = nice(true, "fc");
  q->eval();
  q->forward(vector_weights());
  q->step().fill(.3f);
  Tensor b = Tensor::from({4}, {.1f, -.2f, .38f, 1e5f}).set_requires_grad(true);
  const Tensor y = q->bias(b, input.get());
  check_close(y, {.15, -.15, .45, 32767 * .15}, 1e-3);
  sum(y).backward();
  CHECK(same_values(b.grad(), Tensor::full({4}, 1)));
  CHECK(same_values(q->bias(b, nullptr), b));
  input->enable(false);  // the input is in full precision
  CHECK(same_values(q->bias(b, input.get()), b));
  input->enable(true);
  CHECK(same_values(nice(true, "fc", 3, {{"bias_bits", 32}})->bias(b, input.get()), b));
  const auto few = nice(true, "fc", 3, {{"bias_bits", 3}});
  few->step().fill(.3f);
  few->eval();
  check_close(few->bias(b, input.get()), {.15, -.15, .45, .45});

  q->train();
  q->set_place({.index = 1, .count = 4});
  q->set_progress(0.1);  // not yet
  CHECK(same_values(q->bias(b, input.get()), b));
  q->set_progress(0.3);  // passed
  CHECK(same_values(q->bias(b, input.get()), y));
  q->set_progress(0.2);
  const Tensor many = test::some_values({4000}), noised = q->bias(many, input.get());
  q->eval();
  const Tensor quantized = q->bias(many, input.get());
  int64_t changed = 0;
  for (int64_t i = 0; i < many.numel(); ++i) {
    if (noised.f32()[i] == quantized.f32()[i]) continue;
    ++changed;
    CHECK(std::abs(noised.f32()[i] - many.f32()[i]) <= .0751f);
  }
  CHECK(changed == doctest::Approx(200).epsilon(0.2));  // 5%
}
