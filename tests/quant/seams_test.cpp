// The seams of Quantizer that LSQ and NTQ leave at their defaults, each used by a small method.
#include <doctest/doctest.h>

#include "quant/tree.h"
#include "tests/quant/seam_methods.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::Ranged;
using ntq::test::register_seam_methods;
using ntq::test::same_values;

namespace {

std::shared_ptr<Ranged> ranged(Settings settings = {}) {
  register_seam_methods();
  return std::dynamic_pointer_cast<Ranged>(make_quantizer({.method = "test-ranged",
                                                           .bits = 2,
                                                           .is_signed = false,
                                                           .is_weight = false,
                                                           .name = "q",
                                                           .settings = std::move(settings)}));
}

}  // namespace

TEST_CASE("calibrate runs as many passes as a method asks for, and leaves those alone that are ready") {
  const auto q = ranged();
  const Tensor x = Tensor::from({1, 4}, {0, 1, 2, 6});
  q->eval();
  int runs = 0;
  const auto run = [&] {
    ++runs;
    q->forward(x);
  };
  CHECK(calibrate(*q, run));
  CHECK(runs == 2);
  CHECK(q->step().item() == doctest::Approx(4.0 / 3));  // of the range [1, 5]
  CHECK(q->grid().offset.item() == doctest::Approx(1));
  CHECK_FALSE(calibrate(*q, run));
  CHECK(runs == 2);
}

TEST_CASE("codes with an offset decode to what evaluation gives") {
  const auto q = ranged();
  const Tensor x = Tensor::from({1, 5}, {-1, 0, 1, 1.4f, 2});
  q->forward(x);  // range [-1, 2], step 1
  q->eval();
  const Codes codes = q->encode(x);
  CHECK(codes.values.dtype() == DType::u8);
  CHECK(decode(codes).to_vector() == std::vector<float>{-1, 0, 1, 1, 2});
  CHECK(same_values(decode(codes), q->forward(x)));
}

TEST_CASE("buffers follow the input in training, without a gradient, and are saved") {
  const auto q = ranged(), loaded = ranged();
  const Tensor x = Tensor::from({1, 2}, {0, 3}).set_requires_grad(true);
  sum(q->forward(x)).backward();
  CHECK(x.grad().to_vector() == std::vector<float>{1, 1});
  CHECK(q->step().item() == 1);
  CHECK_FALSE(q->step().requires_grad());
  q->forward(Tensor::from({1, 2}, {0, 6}));
  CHECK(q->step().item() == 2);
  q->eval();
  q->forward(Tensor::from({1, 2}, {0, 60}));
  CHECK(q->step().item() == 2);
  loaded->load_state_dict(q->state_dict());
  CHECK(loaded->ready());
  CHECK(loaded->step().item() == 2);
}

TEST_CASE("penalties of a model add up, with their gradients; without any there is none") {
  const auto one = ranged(), two = ranged({{"weight", 0.25}});
  for (const auto& q : {one, two}) q->forward(Tensor::from({1, 2}, {0, 3}));
  struct Both : Module {
    Both(const std::shared_ptr<Module>& a, const std::shared_ptr<Module>& b) {
      register_module("a", a);
      register_module("b", b);
      register_module("again", a);
    }
    Tensor forward(const Tensor& x) override { return x; }
  } both(one, two);
  CHECK(Quantizers(both).size() == 2);
  const Tensor penalty = quant_penalty(both);
  CHECK(penalty.item() == 0.75f);
  penalty.backward();
  CHECK(one->parameters()[0].value.grad().item() == 1);
  CHECK_FALSE(quant_penalty(*make_quantizer({.method = "lsq", .bits = 4})).defined());

  for (const double fraction : {0.25, 1.0}) {
    set_progress(both, fraction);
    CHECK(one->progress() == fraction);
  }
  CHECK_THROWS_AS(set_progress(both, 1.5), std::invalid_argument);
}

TEST_CASE("a transform comes before the quantizer, with a gradient of its own") {
  register_seam_methods();
  const auto q = make_quantizer({.method = "test-tanh", .bits = 3, .name = "q"});
  const auto plain = make_quantizer({.method = "lsq", .bits = 3, .name = "q"});
  const Tensor w = Tensor::from({5}, {-1.2f, -.3f, .05f, .4f, .8f}).set_requires_grad(true);
  const Tensor t = q->transformed(w.detach()).set_requires_grad(true);
  const Tensor y = q->forward(w), expected = plain->forward(t);
  CHECK(same_values(y, expected));
  CHECK(same_values(q->step(), plain->step()));
  CHECK(same_values(decode(q->encode(w)), y));

  const Tensor g = Tensor::from({5}, {1, -2, .5f, 1, -1});
  sum(mul(y, g)).backward();
  sum(mul(expected, g)).backward();
  const Tensor chained = Tensor::from({5}, {-1.2f, -.3f, .05f, .4f, .8f}).set_requires_grad(true);
  sum(mul(q->transformed(chained), t.grad())).backward();
  CHECK(same_values(w.grad(), chained.grad()));
}

TEST_CASE("a step per channel: first steps, LSQ's gradient scale of each channel's weights, the saved state") {
  const QuantSpec spec{.method = "lsq", .bits = 3, .per_channel = true, .shape = {2, 3}, .name = "q"};
  const auto q = make_quantizer(spec);
  const Tensor w = Tensor::from({2, 3}, {-.95f, .31f, .07f, 2.2f, -4.8f, 9}).set_requires_grad(true);
  const Tensor y = q->forward(w), g = Tensor::from({2, 3}, {1, -2, .5f, 1, -1, 2});
  sum(mul(y, g)).backward();
  REQUIRE(q->step().shape() == Shape{2});
  for (int64_t i = 0; i < 2; ++i) {
    CAPTURE(i);
    const auto alone = make_quantizer({.method = "lsq", .bits = 3, .name = "q"});
    const Tensor row = w.detach().rows(i, i + 1).clone().set_requires_grad(true);
    const Tensor out = alone->forward(row);
    sum(mul(out, g.rows(i, i + 1))).backward();
    CHECK(alone->step().item() == q->step().f32()[i]);
    CHECK(same_values(out, y.rows(i, i + 1)));
    CHECK(q->step().grad().f32()[i] == doctest::Approx(alone->step().grad().item()));
  }
  const auto loaded = make_quantizer(spec);
  loaded->load_state_dict(q->state_dict());
  CHECK(same_values(decode(loaded->encode(w)), y));
}
