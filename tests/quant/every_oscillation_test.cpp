// What must hold for every method that has the settings of oscillations: all whose codes lie evenly.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "quant/oscillation.h"
#include "quant/tree.h"
#include "tests/quant/seam_methods.h"
#include "tests/support/module.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::same_values;
using ntq::test::state_of;

namespace {

constexpr int64_t kTurning = 5;  // the weight that goes to and fro

std::vector<std::shared_ptr<Quantizer>> every_steadied() {
  test::register_seam_methods();
  std::vector<std::shared_ptr<Quantizer>> out;
  for (const std::string& name : quantizer_names()) {
    const QuantMethod& method = quant_method(name);
    const auto is_freeze = [](const Setting& setting) { return setting.name == "freeze"; };
    if (std::none_of(method.settings.begin(), method.settings.end(), is_freeze)) continue;
    for (int bits = 2; bits <= 4; ++bits) {
      for (const bool per_channel : {false, true}) {
        if (per_channel && !method.scope.per_channel) continue;
        QuantSpec spec{.method = name,
                       .bits = bits,
                       .per_channel = per_channel,
                       .shape = {8, 40},
                       .seed = 3,
                       .name = "conv1",
                       .settings = {{"dampen", 0.1}, {"freeze", 0.01}, {"osc_momentum", 0.6}, {"osc_start", 0}}};
        if (name == "nice") spec.settings.emplace("clamp_sigmas", 1);  // else two bits see no turn
        out.push_back(make_quantizer(spec));
        set_progress(*out.back(), 0.75);
      }
    }
  }
  return out;
}

Tensor weights_with(float turning) {
  Tensor w = test::some_values({8, 40});
  w.f32()[kTurning] = turning;
  return w;
}

void step(Quantizer& q, float turning) {
  q.forward(weights_with(turning));
  count_optimizer_step(q);
}

std::string text_of(const Quantizer& q) {
  return concat(q.spec().method, ", ", q.spec().bits, q.spec().per_channel ? " bits, per channel" : " bits");
}

}  // namespace

TEST_CASE("oscillations: methods of evenly spaced weights have the settings, the others have not") {
  std::set<std::string> found;
  for (const auto& q : every_steadied()) found.insert(q->spec().method);
  CHECK(found == std::set<std::string>{"dorefa", "ewgs", "faq", "lsq", "lsq+", "minmax", "nice", "ntq", "pact",
                                       "quant-noise", "test-tanh"});
  for (const std::string& name : found) {
    const std::string help = describe(quant_method(name));
    for (const Setting& setting : oscillation_settings())
      CHECK(help.find("--quant " + setting.name + "=") != std::string::npos);
  }
}

TEST_CASE("oscillations: a weight that turns is frozen at a code, whatever it is then, in all its method does") {
  for (const auto& q : every_steadied()) {
    CAPTURE(text_of(*q));
    for (const float turning : {.6f, -.6f, .6f}) step(*q, turning);
    CHECK(state_of(*q, "osc_frozen").to_vector()[kTurning] == 1);
    const float held = state_of(*q, "osc_held").f32()[kTurning];
    for (const bool training : {true, false}) {
      q->train(training);
      Tensor one = weights_with(.7f).set_requires_grad(true), other = weights_with(-.7f);
      const Tensor y = q->forward(one);
      CHECK(same_values(y, q->forward(other)));
      const Tensor codes = q->encode(one).values;
      CHECK(static_cast<float>(codes.dtype() == DType::i8 ? codes.data<int8_t>()[kTurning]
                                                          : codes.data<uint8_t>()[kTurning]) == held);
      CHECK(y.f32()[kTurning] == decode(q->encode(one)).f32()[kTurning]);
      if (!training) continue;
      CHECK(q->penalty().defined());
      sum(y).backward();
      CHECK(one.grad().f32()[kTurning] == 0);
    }
  }
}

TEST_CASE("oscillations: the saved state goes on where the original does") {
  for (const auto& q : every_steadied()) {
    CAPTURE(text_of(*q));
    for (const float turning : {.6f, -.6f}) step(*q, turning);
    const auto resumed = make_quantizer(q->spec());
    resumed->load_state_dict(test::cloned(q->state_dict()));
    set_progress(*resumed, 0.75);
    for (const float turning : {.6f, .4f, -.5f}) {
      const Tensor w = weights_with(turning);
      CHECK(same_values(resumed->forward(w), q->forward(w)));
      CHECK(same_values(resumed->penalty(), q->penalty()));
      count_optimizer_step(*resumed);
      count_optimizer_step(*q);
    }
    for (const auto& entry : q->state_dict()) {
      CAPTURE(entry.first);
      if (entry.second.dtype() == DType::f32) CHECK(same_values(state_of(*resumed, entry.first), entry.second));
    }
  }
}
