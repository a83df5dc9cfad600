// LQ-Nets against vectors computed in float64 with the formulas of arXiv 1807.10029 and its authors' code.
#include <doctest/doctest.h>

#include "engine/ops/reduce.h"
#include "quant/method.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;

namespace {

std::shared_ptr<Quantizer> lq_nets(bool is_weight, std::initializer_list<float> basis, Settings settings = {}) {
  auto q = make_quantizer({.method = "lq-nets",
                           .bits = 2,
                           .is_signed = is_weight,
                           .is_weight = is_weight,
                           .shape = {1, 6},
                           .name = "conv1",
                           .settings = std::move(settings)});
  q->named_buffers()[1].second.copy_from(Tensor::from({1, 2}, basis));
  return q;
}

Tensor basis_of(const Quantizer& q) { return q.named_buffers()[1].second; }

Tensor lq_weights() { return Tensor::from({1, 6}, {-.55f, -.2f, -.06f, .1f, .28f, .6f}); }
Tensor lq_inputs() { return Tensor::from({1, 6}, {0, .15f, .33f, .5f, .9f, 1.6f}); }

double squared_error(Quantizer& q, const Tensor& x) {
  q.eval();
  const Tensor e = sub(q.forward(x), x);
  return static_cast<double>(sum(mul(e, e)).item());
}

}  // namespace

TEST_CASE("lq-nets: weights take the levels of the stored basis, then the basis is fitted to them") {
  const auto q = lq_nets(true, {.12f, .3f});
  Tensor w = lq_weights().set_requires_grad(true);
  CHECK(q->named_buffers()[1].first == "basis");
  CHECK(squared_error(*q, w) == doctest::Approx(.0805));
  // Places of the levels in order: (b0, b1) = (-,-), (+,-), (+,-), (-,+), (-,+), (+,+).
  const Codes codes = q->encode(w);
  check_close(codes.grid.levels, {-.42, -.18, .18, .42});
  const auto* place = codes.values.data<int8_t>();
  for (size_t i = 0; i < 6; ++i) CHECK(place[i] - place[0] == std::vector<int>{0, 1, 1, 2, 2, 3}[i]);
  q->train();
  const Tensor y = q->forward(w), g = Tensor::from({1, 6}, {1, -2, .5f, 1, -1, 2});
  check_close(y, {-.42, -.18, -.18, .18, .18, .42});
  sum(mul(y, g)).backward();
  CHECK(test::same_values(w.grad(), g));
  check_close(basis_of(*q), {.2074979, .3674982});
  CHECK(squared_error(*q, w) == doctest::Approx(.03085).epsilon(1e-3));
}

TEST_CASE("lq-nets: the moving average, with and without its first value") {
  const auto plain = lq_nets(true, {.12f, .3f}, {{"zero_debias", false}});
  plain->forward(lq_weights());
  check_close(basis_of(*plain), {.1287498, .3067498});
  const auto inputs = lq_nets(false, {.2f, .5f}, {{"zero_debias", false}});
  inputs->forward(lq_inputs());
  check_close(basis_of(*inputs), {.21675, .5255});

  // Two fits a, b with weights .9 and 1 of 1.9, as sum .1 .9^(t-k) v_k / (1 - .9^t) is.
  const auto q = lq_nets(true, {.12f, .3f});
  q->forward(lq_weights());
  const std::vector<float> first = basis_of(*q).to_vector();
  q->set_training_step(1);
  q->forward(mul(lq_weights(), 2.0f));
  const auto fit = lq_nets(true, {first[0], first[1]});
  fit->forward(mul(lq_weights(), 2.0f));
  const std::vector<float> second = basis_of(*fit).to_vector();
  std::vector<double> expected;
  for (size_t i = 0; i < 2; ++i)
    expected.push_back((.9 * static_cast<double>(first[i]) + static_cast<double>(second[i])) / 1.9);
  check_close(basis_of(*q), expected);
}

TEST_CASE("lq-nets: inputs get no gradient above the largest level") {
  const auto q = lq_nets(false, {.2f, .5f});
  Tensor x = lq_inputs().set_requires_grad(true);
  const Tensor y = q->forward(x);
  check_close(y, {0, .2, .2, .5, .7, .7});
  sum(mul(y, Tensor::from({1, 6}, {1, 2, -1, .5f, 3, 1}))).backward();
  check_close(x.grad(), {1, 2, -1, .5, 0, 0});
  check_close(basis_of(*q), {.3675, .755});
}

TEST_CASE("lq-nets: a basis that the inputs do not determine stays finite, and in evaluation none moves") {
  for (const float value : {0.0f, .2f, .7f}) {
    CAPTURE(value);
    const auto q = lq_nets(false, {.2f, .5f});
    q->forward(Tensor::full({1, 6}, value));
    check_close(basis_of(*q), {.2, .5}, 1e-4);
  }
  const auto q = lq_nets(false, {.2f, .5f});
  q->eval();
  q->forward(lq_inputs());
  check_close(basis_of(*q), {.2, .5});
}

TEST_CASE("lq-nets: levels that crossed are sorted again") {
  const auto q = lq_nets(false, {.5f, .2f});
  q->eval();
  const Tensor x = lq_inputs();
  check_close(q->forward(x), {0, .2, .2, .5, .7, .7});
  CHECK(test::same_values(decode(q->encode(x)), q->forward(x)));
}

TEST_CASE("lq-nets: a basis for each output channel, its first values from the layer's shape") {
  const QuantSpec spec{.method = "lq-nets", .bits = 2, .shape = {2, 3, 3, 4}, .name = "conv1"};
  const auto q = make_quantizer(spec);
  const double unit = .6745 * std::sqrt(2.0 / 18) / 2;
  check_close(basis_of(*q), {unit, 2 * unit, unit, 2 * unit});
  const Tensor w = test::some_values(spec.shape);
  for (int64_t i = 36; i < 72; ++i) w.f32()[i] *= 10;
  q->forward(w);
  const Tensor basis = basis_of(*q);
  CHECK(basis.f32()[3] > 5 * basis.f32()[1]);
  CHECK(q->grid().levels.shape() == Shape{2, 4});
  CHECK_THROWS_WITH_AS(make_quantizer({.method = "lq-nets", .bits = 2, .name = "fc"}),
                       doctest::Contains("fc: lq-nets has a basis per output channel"), std::invalid_argument);
}
