#include "analyze/hessian.h"

#include <doctest/doctest.h>

#include "tests/analyze/losses.h"

using namespace ntq;
using namespace ntq::test;
using doctest::Approx;

TEST_CASE("hessian of a diagonal: its largest entry, and the trace from one draw") {
  const Objective bowl = quadratic({1, 1, 1}, {{1, 0, 0}, {0, 2, 0}, {0, 0, 4}});
  const TopEigenvalue top = top_eigenvalue(bowl);
  CHECK(top.value == Approx(4).epsilon(2e-3));
  CHECK(top.converged);
  const TraceEstimate one = hessian_trace(bowl, {.most = 1});
  CHECK(one.value == Approx(7).epsilon(1e-3));
  const TraceEstimate trace = hessian_trace(bowl);
  CHECK(trace.draws == 2);
  CHECK(trace.converged);
}

TEST_CASE("hessian of [[2,1],[1,2]]: 3; draws of the trace are 2 or 6") {
  const Objective bowl = quadratic({1, -1}, {{2, 1}, {1, 2}});
  CHECK(top_eigenvalue(bowl, {.tolerance = 1e-5}).value == Approx(3).epsilon(1e-3));
  CHECK(dot({1, 1}, hessian_times(bowl, {1, 1})) == Approx(6).epsilon(1e-3));
  CHECK(dot({1, -1}, hessian_times(bowl, {1, -1})) == Approx(2).epsilon(1e-3));
  const TraceEstimate trace = hessian_trace(bowl, {.most = 400, .tolerance = 0});
  CHECK(trace.draws == 400);
  CHECK(std::abs(trace.value - 4) < 4 * trace.error);
}

TEST_CASE("hessian: a negative eigenvalue keeps its sign, a plane has none") {
  CHECK(top_eigenvalue(quadratic({1, 1}, {{1, 0}, {0, -3}})).value == Approx(-3).epsilon(2e-3));
  const TopEigenvalue flat = top_eigenvalue(straight({1, 2}, {1, 1}));
  CHECK(flat.value == 0);
  CHECK(flat.converged);
  CHECK_THROWS_AS(hessian_times(straight({1, 2}, {1, 1}), {0, 0}), std::invalid_argument);
}

namespace {

/// Two logits of the two features (3, 1), in which all images are equal.
struct Classifier : Module {
  std::shared_ptr<Linear> layer;
  Classifier() {
    layer = register_module(
        "layer", std::make_shared<Linear>(LinearOptions{.in_features = 2, .out_features = 2, .bias = false}));
    Tensor(layer->weight()).fill(1);  // equal logits: p = 0.5
  }
  Tensor forward(const Tensor&) override { return layer->forward(Tensor::from({2, 2}, {3, 1, 3, 1})); }
};

}  // namespace

TEST_CASE("hessian of a classifier's layer: p (1 - p) times two by |x|^2") {
  Classifier network;
  DataLoader loader = loader_of(2);
  const auto first_class = [](const Tensor& logits, const Batch& batch) {
    return cross_entropy()(logits, {batch.images, Tensor::zeros({2}, DType::i32)});
  };
  const ModelLoss loss(network, loader, {.where = Where::effective, .loss = first_class});
  CHECK(top_eigenvalue(loss.objective()).value == Approx(5).epsilon(2e-3));
  double sum = 0;
  for (int signs = 0; signs < 16; ++signs) {
    std::vector<float> v;
    for (int i = 0; i < 4; ++i) v.push_back((signs >> i & 1) != 0 ? 1.0f : -1.0f);
    sum += dot(v, hessian_times(loss.objective(), v)) / 16;
  }
  CHECK(sum == Approx(5).epsilon(2e-3));
}
