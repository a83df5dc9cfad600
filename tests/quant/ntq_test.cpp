// NTQ against a vector computed in float64 with the formulas of arXiv 2212.05603 (Eq. 7-9), and its noise.
#include <doctest/doctest.h>

#include "engine/ops/binary.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "quant/method.h"
#include "quant/methods/ntq.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::same_values;

namespace {

QuantSpec ntq_spec() {
  return {.method = "ntq",
          .bits = 2,
          .seed = 7,
          .name = "conv1.weight_quant",
          .settings = {{"noise", 0.2}, {"noise_k", 50}}};
}

RandomKey key_of_step(const QuantSpec& spec, uint32_t step) {
  return {.seed = spec.seed, .stream = stream_id(spec.name + ".noise"), .step = step};
}

// The eps that a key stands for.
std::vector<double> draws(const RandomKey& key, int64_t n) {
  const std::vector<float> eps = standard_normal({n}, key).to_vector();
  return {eps.begin(), eps.end()};
}

const std::vector<double> kQuantized{-.08, -.04, 0, .04, .04, .04};
const std::vector<double> kStd{.0036710, .0121306, .0120239, .0119045, .0117917, .0036710};

Tensor weights() { return Tensor::from({6}, {-.130f, -.030f, .012f, .027f, .033f, .090f}); }

}  // namespace

TEST_CASE("ntq: noisy weights and gradients of the vector, 2 bits") {
  const auto q = make_quantizer(ntq_spec());
  q->step().fill(0.04f);
  Tensor w = weights();
  w.set_requires_grad(true);
  const Tensor y = q->forward(w);
  sum(mul(y, Tensor::from({6}, {1, -2, .5f, 1, -1, 2}))).backward();
  check_close(w.grad(), {0, -2, .5, 1, -1, 0});
  check_close(q->step().grad(), {.2041241}, 1e-6);

  const auto eps = draws(key_of_step(q->spec(), 0), 6);
  std::vector<double> expected;
  for (size_t i = 0; i < 6; ++i) expected.push_back(kQuantized[i] + kStd[i] * eps[i]);
  check_close(y, expected, 1e-6);

  // The vector's own eps in place of ours: exactly what is printed in it.
  const std::vector<double> its_eps{.5, -1, 2, -.3, 1.2, -.7};
  const std::vector<double> its_output{-.0781645, -.0521306, .0240477, .0364287, .0541500, .0374303};
  for (size_t i = 0; i < 6; ++i) {
    CAPTURE(i);
    const double std = (static_cast<double>(y.f32()[i]) - kQuantized[i]) / eps[i];
    CHECK(kQuantized[i] + std * its_eps[i] == doctest::Approx(its_output[i]).epsilon(1e-4));
  }

  q->eval();
  check_close(q->forward(w), kQuantized, 1e-8);
}

TEST_CASE("ntq: the first step of the vector") {
  const auto q = make_quantizer(ntq_spec());
  q->forward(weights());
  check_close(q->step(), {.1073333});
}

TEST_CASE("ntq: eps is standard normal, new in every step") {
  constexpr int64_t n = 100000;
  const auto spec = ntq_spec();
  const auto first = draws(key_of_step(spec, 0), n), second = draws(key_of_step(spec, 1), n);
  double mean = 0, square = 0, fourth = 0, between_steps = 0, between_neighbours = 0;
  int64_t beyond_two = 0;
  for (size_t i = 0; i < n; ++i) {
    mean += first[i] / n;
    square += first[i] * first[i] / n;
    fourth += std::pow(first[i], 4) / n;
    between_steps += first[i] * second[i] / n;
    between_neighbours += first[i] * first[(i + 1) % n] / n;
    beyond_two += std::abs(first[i]) > 2.0;
  }
  // Five standard errors each.
  CHECK(std::abs(mean) < 5 / std::sqrt(n));
  CHECK(std::abs(square - mean * mean - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(fourth - 3) < 5 * std::sqrt(96.0 / n));
  CHECK(std::abs(between_steps) < 5 / std::sqrt(n));
  CHECK(std::abs(between_neighbours) < 5 / std::sqrt(n));
  CHECK(std::abs(static_cast<double>(beyond_two) / n - 0.0455) < 5 * std::sqrt(.0455 / n));
}

TEST_CASE("ntq: noise differs by optimizer step, seed and name, and only in training") {
  const Tensor w = test::some_values({64});
  const auto out = [&](const QuantSpec& spec) { return make_quantizer(spec)->forward(w); };
  auto spec = ntq_spec();
  const auto q = make_quantizer(spec);
  const Tensor first = q->forward(w), again = q->forward(w);
  CHECK(same_values(first, again));
  q->set_training_step(1);
  CHECK_FALSE(same_values(first, q->forward(w)));
  CHECK(same_values(first, out(spec)));
  spec.seed = 8;
  CHECK_FALSE(same_values(first, out(spec)));
  spec = ntq_spec();
  spec.name = "conv2.weight_quant";
  CHECK_FALSE(same_values(first, out(spec)));

  q->eval();
  const Tensor plain = q->forward(w);
  CHECK(same_values(plain, q->forward(w)));
  check_close(plain, [&] {
    std::vector<double> values;
    const Tensor codes = q->encode(w).values;
    for (int i = 0; i < 64; ++i) values.push_back(static_cast<double>(q->step().item()) * codes.data<int8_t>()[i]);
    return values;
  }());
}

TEST_CASE("ntq: neither evaluation nor further forward passes between two optimizer steps move the noise") {
  const Tensor w = test::some_values({64});
  const auto plain = make_quantizer(ntq_spec()), busy = make_quantizer(ntq_spec());
  std::vector<Tensor> draws_of_plain;
  for (int step = 0; step < 2; ++step) {
    const Tensor once = plain->forward(w), twice = (busy->forward(w), busy->forward(w));
    busy->eval();
    busy->forward(w);
    busy->train();
    CHECK(same_values(once, twice));
    draws_of_plain.push_back(once);
    count_optimizer_step(*plain);
    count_optimizer_step(*busy);
  }
  CHECK_FALSE(same_values(draws_of_plain[0], draws_of_plain[1]));
}

TEST_CASE("ntq: the fused kernel is the definition in ops, to the bit, forward and backward") {
  const std::vector<float> values = test::some_values({5000}).to_vector();
  for (const float k : {0.0f, 3.0f, 50.0f, 1000.0f}) {
    CAPTURE(k);
    const QuantizeArgs args{.range = {-8, 7}, .grad_scale = 0.1f, .noise = {.c = 0.3f, .k = k, .key = {4, 5, 6}}};
    std::vector<Tensor> results[2];
    for (size_t i = 0; i < 2; ++i) {
      const Tensor w = Tensor::from({5000}, std::span<const float>(values)).set_requires_grad(true);
      const Tensor step = Tensor::full({1}, 0.07f).set_requires_grad(true);
      const Tensor y = i == 0 ? quantize(w, step, args) : noise_tempered(w, step, args);
      test::probe_loss(y).backward();
      results[i] = {y, w.grad(), step.grad()};
    }
    for (size_t j = 0; j < 3; ++j) CHECK(same_values(results[0][j], results[1][j]));
  }
}

TEST_CASE("ntq: c = 0 and activations are LSQ to the bit") {
  const Tensor x = test::some_values({4, 50});
  for (const bool is_weight : {true, false}) {
    for (int bits = 2; bits <= 8; ++bits) {
      QuantSpec spec{.bits = bits, .is_weight = is_weight, .name = "conv1"};
      std::vector<Tensor> results[2];
      for (int i = 0; i < 2; ++i) {
        spec.method = i == 0 ? "ntq" : "lsq";
        spec.settings.clear();
        if (i == 0) spec.settings.emplace("noise", is_weight ? 0.0 : 0.3);
        const auto q = make_quantizer(spec);
        Tensor input = x.clone();
        input.set_requires_grad(true);
        const Tensor y = q->forward(input);
        test::probe_loss(y).backward();
        results[i] = {y, input.grad(), q->step(), q->step().grad()};
      }
      for (size_t k = 0; k < 4; ++k) CHECK(same_values(results[0][k], results[1][k]));
    }
  }
}

TEST_CASE("ntq: quantizers without a name draw different noise") {
  const Tensor w = test::some_values({256});
  const QuantSpec spec{.method = "ntq", .bits = 4, .seed = 0x901ce};  // a seed of no other case
  const Tensor first = make_quantizer(spec)->forward(w), second = make_quantizer(spec)->forward(w);
  CHECK_FALSE(same_values(first, second));
}
