// NTQ against a vector computed in float64 with the formulas of arXiv 2212.05603 (Eq. 7-9), and its noise.
#include <doctest/doctest.h>

#include "engine/ops/binary.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "quant/quantizer.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::same_values;

namespace {

QuantSpec ntq_spec() {
  return {.method = "ntq", .bits = 2, .noise_c = 0.2f, .noise_k = 50.0f, .seed = 7, .name = "conv1.weight_quant"};
}

RandomKey key_of_call(const QuantSpec& spec, uint32_t call) {
  return {.seed = spec.seed, .stream = stream_id(spec.name + ".noise"), .step = call};
}

// The eps that a key stands for: with step 1, k = 0 and x = 0.25 the output is 0 + c * sqrt(0.25) * eps.
std::vector<double> draws(const RandomKey& key, int64_t n) {
  const Tensor y = quantize(Tensor::full({n}, 0.25f), Tensor::full({1}, 1.0f),
                            {.range = {-2, 1}, .noise = {.c = 0.5f, .k = 0.0f, .key = key}});
  std::vector<double> eps;
  for (const float value : y.to_vector()) eps.push_back(static_cast<double>(value) * 4.0);
  return eps;
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

  const auto eps = draws(key_of_call(q->spec(), 0), 6);
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

TEST_CASE("ntq: eps is standard normal, new in every call") {
  constexpr int64_t n = 100000;
  const auto spec = ntq_spec();
  const auto first = draws(key_of_call(spec, 0), n), second = draws(key_of_call(spec, 1), n);
  double mean = 0, square = 0, fourth = 0, between_calls = 0, between_neighbours = 0;
  int64_t beyond_two = 0;
  for (size_t i = 0; i < n; ++i) {
    mean += first[i] / n;
    square += first[i] * first[i] / n;
    fourth += std::pow(first[i], 4) / n;
    between_calls += first[i] * second[i] / n;
    between_neighbours += first[i] * first[(i + 1) % n] / n;
    beyond_two += std::abs(first[i]) > 2.0;
  }
  // Five standard errors each.
  CHECK(std::abs(mean) < 5 / std::sqrt(n));
  CHECK(std::abs(square - mean * mean - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(fourth - 3) < 5 * std::sqrt(96.0 / n));
  CHECK(std::abs(between_calls) < 5 / std::sqrt(n));
  CHECK(std::abs(between_neighbours) < 5 / std::sqrt(n));
  CHECK(std::abs(static_cast<double>(beyond_two) / n - 0.0455) < 5 * std::sqrt(.0455 / n));
}

TEST_CASE("ntq: noise differs by call, seed and name, and only in training") {
  const Tensor w = test::some_values({64});
  const auto out = [&](const QuantSpec& spec) { return make_quantizer(spec)->forward(w); };
  auto spec = ntq_spec();
  const auto q = make_quantizer(spec);
  const Tensor first = q->forward(w), second = q->forward(w);
  CHECK_FALSE(same_values(first, second));
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
    const Tensor codes = q->codes(w);
    for (int i = 0; i < 64; ++i) values.push_back(static_cast<double>(q->step().item()) * codes.data<int32_t>()[i]);
    return values;
  }());
}

TEST_CASE("ntq: evaluation between training steps does not move the noise") {
  const Tensor w = test::some_values({64});
  const auto plain = make_quantizer(ntq_spec()), evaluated = make_quantizer(ntq_spec());
  plain->forward(w);
  evaluated->forward(w);
  evaluated->eval();
  evaluated->forward(w);
  evaluated->train();
  CHECK(same_values(plain->forward(w), evaluated->forward(w)));
}

TEST_CASE("ntq: c = 0 and activations are LSQ to the bit") {
  const Tensor x = test::some_values({4, 50});
  for (const bool is_weight : {true, false}) {
    for (int bits = 2; bits <= 8; ++bits) {
      QuantSpec spec{.bits = bits, .is_weight = is_weight, .noise_c = is_weight ? 0.0f : 0.3f, .name = "conv1"};
      std::vector<Tensor> results[2];
      for (int i = 0; i < 2; ++i) {
        spec.method = i == 0 ? "ntq" : "lsq";
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
