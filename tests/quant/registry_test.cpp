#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "quant/method.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;

namespace {

// Errors name the place, what was found and what is allowed.
void check_refused(const QuantSpec& spec, const std::string& message) {
  CHECK_THROWS_WITH_AS(make_quantizer(spec), Contains(message.c_str()), std::invalid_argument);
}

}  // namespace

TEST_CASE("make_quantizer: bits 32 is no quantizer") {
  CHECK(make_quantizer({.bits = 32}) == nullptr);
  CHECK(make_quantizer({.method = "fp", .bits = 32}) == nullptr);
}

TEST_CASE("make_quantizer refuses what no method can do") {
  for (const int bits : {-1, 0, 1, 9, 16, 31, 33})
    check_refused({.bits = bits, .name = "layer1.0.conv1"}, "layer1.0.conv1: bits must be 2 to 8, or 32");
  check_refused({.method = "nqt", .bits = 4, .name = "fc"},
                "fc: no quantization method 'nqt'; there are: " + join(quantizer_names()));
  check_refused({.method = "fp", .bits = 4}, "full precision is bits 32");
  for (const float c : {-0.1f, 1.0f, std::nanf("")})
    check_refused({.bits = 4, .name = "fc", .settings = {{"noise", c}}},
                  "fc: noise: expected a number in [0, 1), found");
  for (const float k : {-1.0f, HUGE_VALF, std::nanf("")})
    check_refused({.bits = 4, .settings = {{"noise_k", k}}}, "noise_k: expected a number in [0, 1000000], found");
  check_refused({.bits = 4, .settings = {{"noise", "much"}}}, "found \"much\"");
  check_refused({.bits = 4, .settings = {{"step_init", "best"}}}, "step_init: expected lsq or mse, found \"best\"");
  check_refused({.bits = 4, .settings = {{"nosie", 0.1}}},
                "method ntq has no setting \"nosie\"; settings of ntq: noise: a number in [0, 1) [0.2], noise_k");
  check_refused({.bits = 4, .per_channel = true, .name = "fc"}, "fc: steps per channel are for weights");
}

TEST_CASE("quantizers name their layer when an input is wrong") {
  const auto q = make_quantizer({.bits = 4, .name = "layer1.0.conv1.weight_quant"});
  for (const Tensor& x : {Tensor(), Tensor::zeros({0, 3}), Tensor::zeros({4}, DType::i32)})
    CHECK_THROWS_WITH_AS(q->forward(x), Contains("layer1.0.conv1.weight_quant: needs a float32 tensor"),
                         std::invalid_argument);
  CHECK_THROWS_WITH_AS(q->encode(Tensor::full({4}, 1.0f)), Contains("layer1.0.conv1.weight_quant: the step is not set"),
                       std::invalid_argument);
  q->step().fill(-1.0f);
  CHECK_THROWS_WITH_AS(q->encode(Tensor::full({4}, 1.0f)), Contains("found -1"), DivergedError);
}

TEST_CASE("quantizer state: step and calls, by these names") {
  const auto q = make_quantizer({.bits = 4});
  REQUIRE(q->named_parameters().size() == 1);
  CHECK(q->named_parameters()[0].first == "step");
  REQUIRE(q->named_buffers().size() == 1);
  const auto [name, calls] = q->named_buffers()[0];
  CHECK(name == "calls");
  const Tensor x = Tensor::full({4}, 0.3f);
  count_optimizer_step(*q);  // not ready: it has not been run
  CHECK(*calls.data<int64_t>() == 0);
  q->forward(x);
  q->forward(x);
  count_optimizer_step(*q);
  count_optimizer_step(*q);
  CHECK(*calls.data<int64_t>() == 2);
}

TEST_CASE("quantizer state: a loaded one is ready, at the step where it was saved, and not so after an empty one") {
  const Tensor x = test::some_values({64});
  const auto saved = make_quantizer({.bits = 4, .name = "fc"}), loaded = make_quantizer({.bits = 4, .name = "fc"});
  const auto fresh = make_quantizer({.bits = 4, .name = "fc"});
  saved->forward(x);
  saved->set_training_step(7);
  CHECK_FALSE(loaded->ready());
  loaded->load_state_dict(saved->state_dict());
  CHECK(loaded->ready());
  CHECK(loaded->training_step() == 7);
  CHECK(test::same_values(loaded->forward(x), saved->forward(x)));
  loaded->load_state_dict(fresh->state_dict());
  CHECK_FALSE(loaded->ready());
  CHECK(loaded->training_step() == 0);
}

TEST_CASE("register_quantizer: names are unique, methods from outside work, with settings of their own") {
  const auto half_noise = [](const std::string& name) {
    return QuantMethod{
        .name = name,
        .help = "NTQ with half of the noise",
        .settings = {{.name = "level", .standard = 0.4, .within = {.low = 0, .high = 1}, .help = "of it"},
                     {.name = "rounds", .standard = 3, .within = {.low = 1}, .whole = true, .help = "-"}},
        .make = [](QuantSpec spec) {
          spec.method = "ntq";
          spec.settings = {{"noise", spec.setting("level").number() / 2}};
          return make_quantizer(spec);
        }};
  };
  const auto refused = [](QuantMethod method, const char* message) {
    CHECK_THROWS_WITH_AS(register_quantizer(std::move(method)), Contains(message), std::invalid_argument);
  };
  for (const char* name : {"", "fp"}) refused(half_noise(name), "cannot name a method");
  refused(half_noise("lsq"), "'lsq' is registered already");
  refused({.name = "none", .help = "", .settings = {}, .make = nullptr}, "no factory");
  QuantMethod wrong = half_noise("wrong");
  wrong.settings[0].standard = 2.0;
  refused(wrong, "the default of level is not allowed: 2");
  wrong.settings[0].name = "act.level";
  refused(wrong, "'act.level' cannot name a setting");
  wrong = half_noise("wrong");
  wrong.settings[0].name = "rounds";
  refused(wrong, "names two");

  register_quantizer(half_noise("half-noise"));
  const auto names = quantizer_names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::find(names.begin(), names.end(), "half-noise") != names.end());
  CHECK(std::find(names.begin(), names.end(), "none") == names.end());
  const auto noise = [](Settings settings) {
    return make_quantizer({.method = "half-noise", .bits = 4, .settings = std::move(settings)})
        ->spec()
        .setting("noise")
        .number();
  };
  CHECK(noise({}) == 0.2);
  CHECK(noise({{"level", "0.5"}}) == 0.25);  // as a command line gives it
  check_refused({.method = "half-noise", .bits = 4, .settings = {{"rounds", 1.5}}},
                "rounds: expected a whole number of 1 or more, found \"1.5\"; settings of half-noise: level");
  CHECK(describe(quant_method("half-noise")) == R"(half-noise: NTQ with half of the noise
  --quant level=X           of it
                            a number in [0, 1] [0.4]
  --quant rounds=N          -
                            a whole number of 1 or more [3]
)");
}

TEST_CASE("a method says what it quantizes, and the rest is refused") {
  QuantMethod weights{.name = "4-bit-weights", .help = "of tests", .settings = {}, .make = quant_method("lsq").make};
  weights.scope = {.least_bits = 4, .most_bits = 4, .signed_inputs = false, .unsigned_inputs = false};
  weights.settings = quant_method("lsq").settings;
  register_quantizer(weights);
  CHECK(make_quantizer({.method = "4-bit-weights", .bits = 4}) != nullptr);
  check_refused({.method = "4-bit-weights", .bits = 3, .name = "fc"},
                "fc: bits must be 4, or 32 for full precision, found 3 for 4-bit");
  check_refused({.method = "4-bit-weights", .bits = 4, .is_weight = false, .name = "fc"},
                "fc: 4-bit-weights does not quantize inputs that may be negative; give them another method");
  check_refused({.method = "4-bit-weights", .bits = 4, .per_channel = true, .shape = {2, 3}}, "no steps per channel");
}
