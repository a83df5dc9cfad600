// FAQ-style fixed ranges against vectors computed in float64.
#include <doctest/doctest.h>

#include "tests/quant/vectors.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("faq: weights, 4 bits: max|w| / 7, every gradient passes") {
  const auto q = weights_of("faq", 4);
  Tensor w = Tensor::from({6}, {-.9f, -.31f, .07f, .22f, .48f, .75f});
  const Tensor g = Tensor::from({6}, {1, -2, .5f, 1, -1, 2});
  check_close(run_backward(*q, w, g), {-.9, -.2571429, .1285714, .2571429, .5142857, .7714286});
  check_close(q->step(), {.1285714});
  CHECK(same_values(w.grad(), g));
}

TEST_CASE("faq: activations, 4 bits, of the range 3") {
  const auto q = inputs_of("faq", 4);
  q->forward(Tensor::from({1, 1}, {3}));
  Tensor x = Tensor::from({1, 5}, {-.3f, .23f, 1.14f, 2.66f, 3.4f});
  check_close(run_backward(*q, x, Tensor::full({1, 5}, 1)), {0, .2, 1.2, 2.6, 3});
  check_close(x.grad(), {0, 1, 1, 1, 0});
}

TEST_CASE("faq: the range is a percentile, as numpy's, of each batch; their mean by size; fixed behind it") {
  Tensor x = Tensor::empty({1, 11});
  for (int i = 0; i < 11; ++i) x.f32()[i] = static_cast<float>(10 - i);
  const auto end = [](const Quantizer& q) { return state_of(q, "high").item(); };
  const auto q = inputs_of("faq", 4, {{"percentile", 95.0}});
  q->eval();
  q->start_pass(0);
  q->forward(x);
  CHECK(end(*q) == doctest::Approx(9.5));
  q->forward(Tensor::full({1, 22}, 2.0f));
  CHECK(end(*q) == doctest::Approx(4.5));  // (9.5 + 2 * 2) / 3
  q->end_pass(0);
  q->train();
  q->forward(x);
  CHECK(end(*q) == doctest::Approx(4.5));
  // At 8 bits a setting of its own; of |x| where it has a sign; the largest where the percentile is 0.
  const auto eight = inputs_of("faq", 8, {{"percentile", 50.0}, {"percentile_8bit", 100.0}});
  eight->forward(x);
  CHECK(end(*eight) == 10);
  const auto two_sided = make_quantizer(
      {.method = "faq", .bits = 3, .is_weight = false, .name = "q", .settings = {{"percentile", 100.0}}});
  two_sided->forward(Tensor::from({1, 2}, {-3, 1}));
  CHECK(two_sided->step().item() == 1);
  const auto sparse = inputs_of("faq", 4, {{"percentile", 50.0}});
  sparse->forward(Tensor::from({1, 4}, {0, 0, 0, 3}));
  CHECK(end(*sparse) == 3);
}

TEST_CASE("faq: the range of weights follows them, or is frozen") {
  const Tensor w = Tensor::from({2}, {-.7f, .3f});
  for (const char* word : {"current", "frozen"}) {
    const auto q = weights_of("faq", 4, {{"weight_range", word}});
    q->forward(w);
    q->forward(mul(w, 2.0f));
    check_close(q->step(), {std::string(word) == "current" ? .2 : .1});
  }
}
