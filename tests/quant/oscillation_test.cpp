// Dampening and freezing of oscillating weights, against values by hand from arXiv 2203.11086.
#include "quant/oscillation.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/ops/unary.h"
#include "quant/method.h"
#include "quant/tree.h"
#include "tests/support/module.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::check_close;
using ntq::test::same_values;
using ntq::test::state_of;

namespace {

QuantSpec spec_of(const std::string& method, Settings settings, int bits = 4) {
  return {.method = method,
          .bits = bits,
          .shape = {2, 1},
          .seed = 1,
          .name = "conv1.weight_quant",
          .settings = std::move(settings)};
}

// One training step on weights of these codes, at step 1; they are seen twice and count once.
Tensor show(Quantizer& q, float a, float b) {
  q.step().fill(1);
  const Tensor w = Tensor::from({2, 1}, {a, b});
  q.forward(w);
  const Tensor y = q.forward(w);
  count_optimizer_step(q);
  return y;
}

}  // namespace

TEST_CASE("oscillation: frequencies of a weight that turns and of one that goes on") {
  const auto q = make_quantizer(spec_of("lsq", {{"freeze", 0.01}}));
  set_progress(*q, 0);
  const float codes[5][2] = {{0, 0}, {1, 1}, {0, 2}, {1, 3}, {0, 4}};
  const double expected[5] = {0, 0, .01, .0199, .029701};
  for (int i = 0; i < 5; ++i) {
    show(*q, codes[i][0], codes[i][1]);
    check_close(state_of(*q, "osc_frequency"), {expected[i], 0}, 1e-7);
  }
}

TEST_CASE("freezing: above the threshold a weight is held at its mean code, in evaluation and after a resume too") {
  const Settings settings{{"freeze", 0.01}, {"freeze_from", 0.02}, {"osc_momentum", 0.6}, {"osc_start", 0}};
  for (const char* method : {"lsq", "ntq"}) {
    const auto q = make_quantizer(spec_of(method, settings)), loaded = make_quantizer(spec_of(method, settings));
    set_progress(*q, 0.5);
    show(*q, 2, 2);
    show(*q, 3, 2);
    show(*q, 2, 3);  // the first has turned; mean (2 + 0.6 * 1) -> 0.6 * 2 + 0.4 * 2.6 = 2.24
    CHECK(state_of(*q, "osc_frozen").to_vector() == std::vector<float>{1, 0});
    loaded->load_state_dict(q->state_dict());
    for (const auto& one : {q, loaded}) {
      Tensor w = Tensor::from({2, 1}, {5, 5}).set_requires_grad(true);
      const Tensor y = one->forward(w);
      CHECK(y.f32()[0] == 2);
      sum(y).backward();
      check_close(w.grad(), {0, 1});
      one->eval();
      CHECK(one->forward(w).to_vector() == std::vector<float>{2, 5});
      CHECK(decode(one->encode(w)).to_vector() == std::vector<float>{2, 5});
    }
    q->step().fill(2);  // the code is held, not the value
    CHECK(q->forward(Tensor::from({2, 1}, {5, 5})).f32()[0] == 4);
  }
}

TEST_CASE("freezing begins at osc_start, and not above 4 bits") {
  const auto frozen = [](Settings settings, double fraction, int bits) {
    const auto q = make_quantizer(spec_of("lsq", std::move(settings), bits));
    set_progress(*q, fraction);
    for (const float code : {0.0f, 1.0f, 0.0f, 1.0f}) show(*q, code, 0);
    const NamedTensors state = q->state_dict();
    return std::any_of(state.begin(), state.end(),
                       [](const auto& entry) { return entry.first == "osc_frozen" && entry.second.f32()[0] == 1; });
  };
  const Settings settings{{"freeze", 0.01}, {"osc_momentum", 0.5}};
  CHECK_FALSE(frozen(settings, 0.24, 4));
  CHECK(frozen(settings, 0.25, 4));
  CHECK_FALSE(frozen(settings, 0.25, 5));
  CHECK_FALSE(frozen({{"osc_momentum", 0.5}}, 0.25, 4));
}

TEST_CASE("dampening and threshold follow a cosine behind osc_start") {
  auto spec = spec_of("lsq", {});
  spec.settings = complete_settings(quant_method("lsq"), true, {{"dampen", 0.1}, {"freeze", 0.01}});
  const Oscillation o(spec, [](const std::string&, Tensor value) { return value; });
  const auto check_at = [&](double fraction, double dampening, double threshold) {
    CHECK(o.dampening(fraction) == doctest::Approx(dampening));
    CHECK(o.threshold(fraction) == doctest::Approx(threshold));
  };
  check_at(0.2, 0, 0);
  check_at(0.25, 0, 0.1);
  check_at(0.625, 0.05, 0.055);
  check_at(1, 0.1, 0.01);
}

TEST_CASE("dampening: squares of Q(w) - clip(w), summed over channels, with their gradient to the weights alone") {
  for (const bool per_channel : {false, true}) {
    QuantSpec spec = spec_of("lsq", {{"dampen", 0.1}}, 3);
    spec.shape = {2, 3}, spec.per_channel = per_channel;
    const auto q = make_quantizer(spec);
    set_progress(*q, 1);
    Tensor w = Tensor::from({2, 3}, {.3f, -.4f, 9, 1.2f, -7, .1f}).set_requires_grad(true);
    q->forward(w);
    q->step().fill(1);
    q->step().zero_grad();
    q->forward(w);
    const Tensor penalty = q->penalty();
    CHECK(penalty.item() == doctest::Approx(.1 * (.09 + .16 + .04 + .01) / 3));
    penalty.backward();
    const double slope = .1 * 2 / 3;
    check_close(w.grad(), {slope * .3, slope * -.4, 0, slope * .2, 0, slope * .1});
    CHECK_FALSE(q->step().grad().defined());
    q->forward(w);
    set_progress(*q, 0);
    q->forward(w);
    CHECK_FALSE(q->penalty().defined());
  }
}

namespace {

/// Weights whose grid is set, as a method has it, before each look.
struct Kind {
  const char* method;
  int bits;
  Settings settings;
  std::vector<std::pair<const char*, float>> state;  // parameters and buffers that the test sets
  std::vector<float> weights;                        // the last of them changes
  std::vector<float> turns;                          // what it is, one look after the other
  float held;                                        // what becomes of it, with osc_momentum 0.6
  std::vector<double> errors;                        // clip(w) - Q(w) of `weights`, as they are rounded
};

std::vector<Kind> kinds() {
  const Settings whole{{"asymmetric", true}}, frozen{{"weight_range", "frozen"}};
  return {
      {"lsq", 3, {}, {{"step", 1.f}}, {9, -.4f, .3f}, {1, 2, 1}, 1, {0, -.4, .3}},
      {"minmax", 3, {}, {}, {3, -1.4f, .3f}, {1, 2, 1}, 1, {0, -.4, .3}},
      {"minmax", 3, frozen, {}, {3, -1.4f, .3f}, {1, 2, 1}, 1, {0, -.4, .3}},
      {"minmax", 2, whole, {}, {-1, 2, 1.4f, .3f}, {0, 1, 0}, 0, {0, 0, .4, .3}},
      {"faq", 3, {}, {}, {3, -1.4f, .3f}, {1, 2, 1}, 1, {0, -.4, .3}},
      {"nice", 3, {}, {{"step", 1.f}}, {9, -1.4f, .3f}, {1, 2, 1}, 1, {0, -.4, .3}},
      // Levels -1.5, -.5, .5, 1.5 of the range are -2, -2/3, 2/3, 2 of the scale.
      {"ewgs",
       2,
       {},
       {{"lower", -1.5f}, {"upper", 1.5f}, {"scale", 2.f}},
       {9, -.4f, .3f},
       {.5f, 1.5f, .5f},
       2 / 3.f,
       {0, .1, -.2}},
      // tanh(w) / tanh(1.2) on levels -1, -1/3, 1/3, 1
      {"dorefa", 2, {}, {}, {-1.2f, .8f, .4f}, {-.3f, .05f, -.3f}, -1 / 3.f, {0, -.203463, .122430}},
      {"pact", 2, {}, {}, {-1.2f, .8f, .4f}, {-.3f, .05f, -.3f}, -1 / 3.f, {0, -.203463, .122430}},
      {"quant-noise", 4, {}, {}, {-.5f, 1, -.12f, .41f}, {.2f, .3f, .2f}, .2f, {0, 0, -.02, .01}},
  };
}

std::shared_ptr<Quantizer> make(const Kind& kind, Settings more) {
  more.insert(kind.settings.begin(), kind.settings.end());
  QuantSpec spec = spec_of(kind.method, std::move(more), kind.bits);
  spec.shape = {1, static_cast<int64_t>(kind.weights.size())};
  const auto q = make_quantizer(spec);
  q->eval();
  q->forward(Tensor::from(spec.shape, std::span<const float>(kind.weights)));  // sets the grid
  q->train();
  for (const auto& [name, value] : kind.state) state_of(*q, name).fill(value);
  set_progress(*q, 1);
  return q;
}

Tensor weights_with(const Kind& kind, float last) {
  std::vector<float> all = kind.weights;
  all.back() = last;
  return Tensor::from({1, static_cast<int64_t>(all.size())}, std::span<const float>(all));
}

}  // namespace

TEST_CASE("dampening: the distance to the level, where each kind of method has its weights' codes") {
  for (const Kind& kind : kinds()) {
    CAPTURE(std::string(kind.method));
    const auto q = make(kind, {{"dampen", 0.1}});
    Tensor w = weights_with(kind, kind.weights.back()).set_requires_grad(true);
    const auto penalty = [&] {
      q->forward(w);
      return q->penalty();
    };
    double squares = 0;
    for (const double e : kind.errors) squares += e * e / static_cast<double>(kind.errors.size());
    CHECK(penalty().item() == doctest::Approx(.1 * squares).epsilon(1e-4));
    penalty().backward();
    for (const auto& [name, parameter] : q->named_parameters()) CHECK_FALSE(parameter.grad().defined());
    if (q->transformed(w).id() == w.id()) {
      std::vector<double> slopes;
      for (const double e : kind.errors) slopes.push_back(.2 * e / static_cast<double>(kind.errors.size()));
      check_close(w.grad(), slopes, 1e-6);
    } else {
      CHECK(test::numeric_grad_error([&] { return scale(penalty(), 100); }, w, 1e-3f) < 2e-3);
    }
  }
}

TEST_CASE("freezing: each kind of method holds codes, wherever its grid goes") {
  for (const Kind& kind : kinds()) {
    CAPTURE(std::string(kind.method));
    const auto q = make(kind, {{"freeze", 0.01}, {"osc_momentum", 0.6}, {"osc_start", 0}});
    for (const float value : kind.turns) {
      q->forward(weights_with(kind, value));
      count_optimizer_step(*q);
    }
    const Tensor frozen = state_of(*q, "osc_frozen");
    CHECK(sum(frozen).item() == 1);
    const Tensor moved = weights_with(kind, kind.weights[1]).set_requires_grad(true);
    const auto last_of = [](const Tensor& y) { return y.f32()[y.numel() - 1]; };
    for (const bool training : {true, false}) {
      q->train(training);
      const Tensor y = q->forward(moved);
      CHECK(last_of(y) == doctest::Approx(kind.held));
      CHECK(last_of(decode(q->encode(moved))) == last_of(y));
      if (!training) continue;
      sum(y).backward();
      CHECK(last_of(moved.grad()) == 0);
    }
  }
  // A range that follows the weights takes held codes along.
  const Kind kind = kinds()[1];
  const auto q = make(kind, {{"freeze", 0.01}, {"osc_momentum", 0.6}, {"osc_start", 0}});
  for (const float value : kind.turns) {
    q->forward(weights_with(kind, value));
    count_optimizer_step(*q);
  }
  CHECK(q->forward(Tensor::from({1, 3}, {6, -1.4f, 1})).f32()[2] == 2);
}

TEST_CASE("nice: weights are looked at from their layer's stage on") {
  const auto q = make_quantizer(spec_of("nice", {{"freeze", 0.01}, {"dampen", 0.1}, {"osc_start", 0}}));
  q->set_place({.index = 1, .count = 2});
  for (const double fraction : {0.1, 0.3}) {
    q->set_progress(fraction);
    q->forward(Tensor::from({2, 1}, {.3f, -.4f}));
    CHECK(q->penalty().defined() == (fraction > .25));
    CHECK(state_of(*q, "osc_started").item<int64_t>() == (fraction > .25 ? 1 : 0));
  }
}

TEST_CASE("without these settings a method with steps has no buffers of theirs") {
  const auto q = make_quantizer(spec_of("ntq", {}));
  CHECK(q->named_buffers().size() == 1);
  CHECK_THROWS_WITH_AS(make_quantizer({.method = "lsq", .bits = 4, .name = "fc", .settings = {{"freeze", 0.1}}}),
                       doctest::Contains("fc: freezing needs the shape of the weight"), std::invalid_argument);
}
