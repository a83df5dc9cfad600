// Gradients against differences of each method's surrogate: its forward pass in float64 with every rounding held at
// what it added, and NTQ's noise held too. (DoReFa, PACT, LSQ+, LCQ, EWGS, APoT, DiffQ: in their own files.)
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/ops/unary.h"
#include "quant/tree.h"
#include "tests/quant/vectors.h"

using namespace ntq;
using namespace ntq::test;

namespace {

constexpr double kSmall = 1e-6;

/// One value of the surrogate, from x and the parameters: what of it is rounded goes through `held`.
using Held = std::function<double(double)>;
using Surrogate = std::function<double(double x, const std::vector<double>& p, const Held& held)>;

/// Derivative of f at (x, p) along x (which = -1) or parameter `which`, its rounding held at (x, p).
double slope(const Surrogate& f, double x, const std::vector<double>& p, int which) {
  double added = 0;
  f(x, p, [&](double u) { return added = std::nearbyint(u) - u, u + added; });
  const auto moved = [&](double by) {
    std::vector<double> q = p;
    if (which >= 0) q[static_cast<size_t>(which)] += by;
    return f(which < 0 ? x + by : x, q, [&](double u) { return u + added; });
  };
  return (moved(kSmall) - moved(-kSmall)) / (2 * kSmall);
}

/// Gradients of sum(g * q(x)) to x and to `parameters`, those of which are `scale` times the surrogate's.
void check_surrogate(Quantizer& q, const Tensor& input, const std::vector<Tensor>& parameters, const Surrogate& f,
                     double scale = 1) {
  Tensor x = input.clone();
  for (Tensor t : parameters) t.zero_grad();
  const Tensor g = some_values(x.shape(), 77);
  run_backward(q, x, g);
  std::vector<double> p, sums(parameters.size());
  for (const Tensor& t : parameters) p.push_back(static_cast<double>(t.item()));
  for (int64_t i = 0; i < x.numel(); ++i) {
    CAPTURE(i);
    const auto at = static_cast<double>(x.f32()[i]), up = static_cast<double>(g.f32()[i]);
    CHECK(static_cast<double>(x.grad().f32()[i]) == doctest::Approx(up * slope(f, at, p, -1)).epsilon(1e-4));
    for (size_t k = 0; k < p.size(); ++k) sums[k] += up * slope(f, at, p, static_cast<int>(k));
  }
  for (size_t k = 0; k < p.size(); ++k) {
    CAPTURE(k);
    CHECK(static_cast<double>(parameters[k].grad().item()) == doctest::Approx(scale * sums[k]).epsilon(2e-4));
  }
}

Surrogate stepped(double low, double high) {
  return [=](double x, const std::vector<double>& p, const Held& held) {
    const double v = x / p[0];
    return p[0] * (v <= low ? low : v >= high ? high : held(v));
  };
}

}  // namespace

TEST_CASE("surrogate: LSQ's weights and inputs, NTQ's weights with their noise") {
  const Tensor x = some_values({8, 10});
  for (const char* method : {"lsq", "ntq"}) {
    const auto q = weights_of(method, 3);
    q->step().fill(.21875f);
    check_surrogate(*q, x, {q->step()}, stepped(-4, 3), 1 / std::sqrt(80 * 3.0));
  }
  const auto q = inputs_of("lsq", 2);
  q->step().fill(.21875f);
  check_surrogate(*q, x, {q->step()}, stepped(0, 3), 1 / std::sqrt(10 * 3.0));
}

TEST_CASE("surrogate: QIL's interval, power and input") {
  for (const bool is_weight : {true, false}) {
    const auto q = (is_weight ? weights_of : inputs_of)("qil", 3, {{"interval_init", "unit"}});
    const Tensor x = some_values({4, 20});
    q->forward(x);
    const double most = is_weight ? 3 : 7;
    std::vector<Tensor> parameters = {state_of(*q, "center"), state_of(*q, "half_width")};
    parameters[0].fill(.46f), parameters[1].fill(.37f);
    if (is_weight) parameters.push_back(state_of(*q, "gamma")), parameters[2].fill(.8f);
    check_surrogate(*q, x, parameters, [=](double v, const std::vector<double>& p, const Held& held) {
      const double size = is_weight ? std::abs(v) : v, place = (size - p[0] + p[1]) / (2 * p[1]);
      // Below the first rounded value the slope is that there; gamma's own derivative is the power's.
      const double first = std::pow(.5 / most, 1 / .8), steepest = .8 * std::pow(first, .8 - 1);
      const bool straight = is_weight && place < first && p[2] == static_cast<double>(.8f);
      const double power = straight    ? std::pow(first, .8) + steepest * (place - first)
                           : is_weight ? std::pow(place, p[2])
                                       : place;
      const double u = place <= 0 ? 0 : place >= 1 ? 1 : power;
      return (is_weight && v < 0 ? -1 : 1) * (u == 0 || u == 1 ? u : held(most * u) / most);
    });
  }
}

TEST_CASE("surrogate: NICE's clamp and input, quantized") {
  const auto q = inputs_of("nice", 3);
  const Tensor x = some_values({4, 20});
  q->forward(x);
  const Tensor clamp = q->parameters()[0].value;
  Tensor(clamp).fill(.6f);
  set_progress(*q, 1);
  check_surrogate(*q, x, {clamp}, [](double v, const std::vector<double>& p, const Held& held) {
    return v <= 0 ? 0 : v >= p[0] ? p[0] : p[0] / 7 * held(7 * v / p[0]);
  });
}

TEST_CASE("surrogate: FAQ's and min-max's inputs, whose range is no parameter") {
  for (const char* method : {"faq", "minmax"}) {
    const auto q = inputs_of(
        method, 4,
        Settings(std::string(method) == "faq" ? Settings{{"percentile", 50.0}} : Settings{{"act_range", "frozen"}}));
    const Tensor x = some_values({4, 20});
    q->forward(scale(x, .5f));
    const double high = static_cast<double>(state_of(*q, "high").item());
    check_surrogate(*q, x, {}, [=](double v, const std::vector<double>&, const Held& held) {
      return v < 0 ? 0 : v > high ? high : high / 15 * held(15 * v / high);
    });
  }
}
