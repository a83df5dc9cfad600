// DoReFa against the formulas of arXiv 1606.06160 in float64.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/quant/vectors.h"

using namespace ntq;
using namespace ntq::test;

namespace {

const std::vector<double> kWeights{-.9, -.31, .07, .22, .48, .75}, kUpstream{1, -2, .5, 1, -1, 2};

Tensor dorefa_weights() { return Tensor::from({6}, {-.9f, -.31f, .07f, .22f, .48f, .75f}); }
Tensor dorefa_upstream() { return Tensor::from({6}, {1, -2, .5f, 1, -1, 2}); }

}  // namespace

TEST_CASE("dorefa: weights, 2 bits: tanh, four levels without 0, and three gradients") {
  const double largest = std::tanh(.9);
  std::vector<double> values, detached, exact;
  double through_max = 0;
  for (size_t i = 0; i < 6; ++i) {
    const double t = std::tanh(kWeights[i]), r = t / (2 * largest) + .5;
    values.push_back(2 * std::nearbyint(3 * r) / 3 - 1);
    detached.push_back(kUpstream[i] * (1 - t * t) / largest);
    through_max += kUpstream[i] * t;
  }
  exact = detached;
  exact[0] += (1 - largest * largest) * through_max / (largest * largest);  // -sign(t_0), and t_0 < 0
  struct Case {
    const char* word;
    std::vector<double> expected;
  };
  for (const Case& c : {Case{"exact", exact}, Case{"detached", detached}, Case{"identity", kUpstream}}) {
    CAPTURE(std::string(c.word));
    const auto q = weights_of("dorefa", 2, {{"weight_grad", c.word}});
    Tensor w = dorefa_weights();
    check_close(run_backward(*q, w, dorefa_upstream()), values);
    check_close(w.grad(), c.expected, 2e-6);
    const Codes codes = q->encode(w);
    CHECK(codes.values.dtype() == DType::u8);
    CHECK(codes.grid.offset.item() == -1);
  }
}

TEST_CASE("dorefa: the vector's weights, 2 and 3 bits, and its activations, 2 bits") {
  const std::vector<double> levels[2] = {{-1, -.3333333, .3333333, .3333333, 1},
                                         {-1, -.4285714, .1428571, .4285714, .7142857}};
  for (const int bits : {2, 3}) {
    for (const char* word : {"exact", "detached"}) {
      const auto q = weights_of("dorefa", bits, {{"weight_grad", word}});
      Tensor w = Tensor::from({5}, {-1.2f, -.3f, .05f, .4f, .8f});
      check_close(run_backward(*q, w, Tensor::from({5}, {1, -2, .5f, 1, -1})), levels[bits - 2]);
      const double first = std::string(word) == "exact" ? .1419883 : .3658829;  // the largest |w|
      check_close(w.grad(), {first, -2.1954823, .5982718, 1.0263708, -.6706077}, 2e-6);
    }
  }
  const auto q = inputs_of("dorefa", 2);
  Tensor x = Tensor::from({1, 5}, {-.2f, .1f, .45f, .8f, 1.3f});
  check_close(run_backward(*q, x, Tensor::from({1, 5}, {1, 2, -1, .5f, 3})), {0, 0, .3333333, .6666667, 1});
  check_close(x.grad(), {0, 2, -1, .5, 0});
}

TEST_CASE("dorefa: the exact gradient is that of tanh(w) / max|tanh(w)|, numerically") {
  const auto q = weights_of("dorefa", 3);
  Tensor w = dorefa_weights();
  // Rounding aside: its estimator is the identity.
  CHECK(numeric_grad_error([&] { return probe_loss(q->transformed(w)); }, w, 1e-3f) < 2e-3);
}

TEST_CASE("dorefa: activations, 2 bits: [0, 1] with both borders inside") {
  const auto q = inputs_of("dorefa", 2);
  Tensor x = Tensor::from({1, 6}, {-.4f, 0, .1f, .45f, 1, 1.4f});
  const Tensor y = run_backward(*q, x, Tensor::from({1, 6}, {1, 1, 2, -1, .5f, 3}));
  check_close(y, {0, 0, 0, 1.0 / 3, 1, 1});
  check_close(x.grad(), {0, 1, 2, -1, .5, 0});
  CHECK(q->parameters().empty());
}

TEST_CASE("dorefa, pact: inputs with a sign take a fixed symmetric range") {
  for (const char* method : {"dorefa", "pact"}) {
    const auto q = make_quantizer({.method = method, .bits = 3, .is_weight = false, .name = "q"});
    q->forward(Tensor::from({1, 2}, {-1.5f, 1}));
    CHECK(q->step().item() == .5f);  // 1.5 / 3
    q->forward(Tensor::from({1, 2}, {-9, 9}));
    CHECK(q->step().item() == .5f);
  }
}
