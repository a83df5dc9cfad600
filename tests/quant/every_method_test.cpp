// What must hold for every registered method, as far as it declares it, for all that it quantizes.
#include <doctest/doctest.h>

#include <set>

#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/method.h"
#include "quant/tree.h"
#include "tests/quant/seam_methods.h"
#include "tests/support/module.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::same_values;

namespace {

struct Case {
  std::shared_ptr<Quantizer> q;
  std::string text;
};

// {8,400}, as behind a ReLU where nothing is negative.
Tensor input_for(const Quantizer& q) {
  Tensor x = test::some_values({8, 400});
  for (int64_t i = 0; i < x.numel() && !q.spec().is_signed; ++i) x.f32()[i] = std::max(x.f32()[i], 0.0f);
  return x;
}

// Fresh quantizers: methods x bits x (weights, weights with a step per channel, signed inputs, unsigned inputs).
std::vector<Case> every_case() {
  test::register_seam_methods();
  std::vector<Case> cases;
  for (const auto& name : quantizer_names()) {
    const QuantScope& scope = quant_method(name).scope;
    const auto add = [&](bool wanted, QuantSpec spec, const char* what) {
      for (int bits = scope.least_bits; wanted && bits <= scope.most_bits; ++bits) {
        spec.method = name, spec.bits = bits, spec.seed = 3, spec.name = "conv1";
        cases.push_back({make_quantizer(spec), concat(name, ", ", bits, " bits, ", what)});
      }
    };
    add(scope.weights, {.shape = {8, 400}}, "weight");
    add(scope.weights && scope.per_channel, {.per_channel = true, .shape = {8, 400}}, "weight, per channel");
    add(scope.signed_inputs, {.is_weight = false}, "signed input");
    add(scope.unsigned_inputs, {.is_signed = false, .is_weight = false}, "unsigned input");
  }
  return cases;
}

// {8,n}: eight rows from below the values of the lowest code to above those of the highest, many to a step.
Tensor sweep(const Quantizer& q) {
  const auto [low, high] = q.range();
  const bool is_signed = low < 0;
  Tensor ends = Tensor::empty({8, 2}, is_signed ? DType::i8 : DType::u8);
  for (int64_t i = 0; i < 16; ++i) {
    const float code = i % 2 == 0 ? low : high;
    if (is_signed) ends.data<int8_t>()[i] = static_cast<int8_t>(code);
    if (!is_signed) ends.data<uint8_t>()[i] = static_cast<uint8_t>(code);
  }
  const Tensor values = decode({ends, q.grid()});
  const auto per_row = static_cast<int64_t>(high - low + 4) * 8;
  Tensor x = Tensor::empty({8, per_row});
  for (int64_t i = 0; i < x.numel(); ++i) {
    const float from = values.f32()[i / per_row * 2], step = (values.f32()[i / per_row * 2 + 1] - from) / (high - low);
    x.f32()[i] = from + step * ((static_cast<float>(i % per_row) + 0.5f) / 8.0f - 2.0f);
  }
  return x;
}

}  // namespace

TEST_CASE("every method: evaluation gives the decoded codes, all in range, and what the method declares") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    const QuantTraits traits = q->traits();
    q->eval();
    const Tensor first = q->forward(input_for(*q));  // sets what the first batch sets
    if (!traits.codes) {
      CHECK(same_values(q->forward(input_for(*q)), first));
      CHECK_THROWS_WITH_AS(q->encode(input_for(*q)), doctest::Contains("conv1: the values of method"),
                           std::invalid_argument);
      continue;
    }
    const Tensor x = sweep(*q), y = q->forward(x);
    const Codes codes = q->encode(x);
    REQUIRE(codes.values.shape() == x.shape());
    CHECK(codes.values.dtype() == (q->range().low < 0 ? DType::i8 : DType::u8));
    CHECK(same_values(decode(codes), y));
    std::set<int> found;
    for (int64_t i = 0; i < x.numel(); ++i) {
      found.insert(q->range().low < 0 ? codes.values.data<int8_t>()[i] : codes.values.data<uint8_t>()[i]);
    }
    CHECK(static_cast<int>(found.size()) <= traits.levels);
    if (q->transformed(x).id() == x.id())
      CHECK(static_cast<int>(found.size()) == traits.levels);  // the sweep is theirs
    CHECK(static_cast<float>(*found.begin()) >= q->range().low);
    CHECK(static_cast<float>(*found.rbegin()) <= q->range().high);
    if (traits.zero_on_grid) CHECK(same_values(q->forward(Tensor::zeros({8, 3})), Tensor::zeros({8, 3})));
    if (traits.idempotent) CHECK(same_values(q->forward(y), y));
    if (traits.symmetric) CHECK(same_values(q->forward(scale(x, -1)), scale(y, -1)));
  }
}

TEST_CASE("every method: finite values and gradients in training") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    Tensor x = input_for(*q);
    x.set_requires_grad(true);
    for (int call = 0; call < 2; ++call) {
      const Tensor y = q->forward(x), penalty = q->penalty();
      CHECK(all_finite(y));
      const Tensor loss = test::probe_loss(y);
      (penalty ? add(loss, penalty) : loss).backward();
      count_optimizer_step(*q);
    }
    REQUIRE(x.grad().defined());
    CHECK(all_finite(x.grad()));
    for (const auto& entry : q->named_parameters()) {
      const Tensor& parameter = entry.second;
      REQUIRE(parameter.grad().defined());
      CHECK(all_finite(parameter.grad()));
    }
  }
}

TEST_CASE("every method: plain steps, where it has them, are what training does") {
  std::set<std::string> plain;
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    Tensor x = input_for(*q);
    const auto before = q->plain_steps(x);
    q->forward(x);
    const auto steps = q->plain_steps(x);
    if (!steps) continue;
    REQUIRE(before.has_value());
    CHECK(before->step.id() == steps->step.id());  // what the first input sets
    plain.insert(q->spec().method);
    x.set_requires_grad(true);
    const auto gradients = [&](const Tensor& y) {
      x.zero_grad();
      Tensor step = steps->step;
      step.zero_grad();
      test::probe_loss(y).backward();
      return std::vector{y.detach(), x.grad(), step.grad()};
    };
    const std::vector<Tensor> found = gradients(quantize(x, steps->step, steps->args)),
                              expected = gradients(q->forward(x));
    for (size_t i = 0; i < found.size(); ++i) CHECK(same_values(found[i], expected[i]));
  }
  CHECK(plain.contains("lsq"));
  CHECK(plain.contains("ntq"));
  const auto noisy =
      make_quantizer({.method = "ntq", .bits = 4, .is_weight = false, .name = "a", .settings = {{"input_noise", 0.1}}});
  noisy->forward(test::some_values({8, 400}));
  CHECK(noisy->plain_steps(test::some_values({8, 400}))->args.noise.c == 0.1f);
}

TEST_CASE("every method: the saved state continues where the original does") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    const Tensor x = input_for(*q);
    for (int step = 0; step < 3; ++step) {
      q->forward(x);
      count_optimizer_step(*q);
    }
    const auto resumed = make_quantizer(q->spec());
    resumed->load_state_dict(test::cloned(q->state_dict()));
    CHECK(same_values(resumed->forward(x), q->forward(x)));
    q->eval();
    resumed->eval();
    CHECK(same_values(resumed->forward(x), q->forward(x)));
    if (q->traits().codes) CHECK(same_values(decode(resumed->encode(x)), decode(q->encode(x))));
  }
}

TEST_CASE("every method: an all-zero first input gives zeros, and later inputs still work") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    if (!q->traits().zero_on_grid) continue;
    const Tensor zeros = Tensor::zeros({8, 3});
    CHECK(all_finite(q->forward(zeros)));  // noise of a method's own may be on it
    q->eval();
    CHECK(same_values(q->forward(zeros), zeros));
    q->train();
    CHECK(q->ready());
    CHECK(all_finite(q->forward(Tensor::full({8, 3}, 0.5f))));
  }
}

TEST_CASE("every method: values that are not finite are not hidden") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    Tensor x = input_for(*q);
    x.f32()[5] = std::nanf("");
    if (!q->ready()) {
      CHECK_THROWS_WITH_AS(q->forward(x), doctest::Contains("conv1: the first input"), DivergedError);
    }
    q->forward(input_for(*q));
    q->eval();
    CHECK_FALSE(std::isfinite(q->forward(x).f32()[5]));
    if (q->traits().codes) {
      CHECK_THROWS_WITH_AS(q->encode(x), doctest::Contains("conv1: values that are not finite"), DivergedError);
    }
    // What it has learned: found where the loss went wrong, as nothing is read back in training.
    for (auto& [name, value] : q->state_dict()) {
      if (value.dtype() == DType::f32 && name != "offset") value.fill(std::nanf(""));
    }
    const Tensor y = q->forward(input_for(*q));
    if (q->step() && all_finite(q->step())) continue;  // made anew from each input
    CHECK_FALSE(std::isfinite(y.f32()[5]));
    if (!q->step()) continue;
    CHECK_THROWS_WITH_AS(q->encode(input_for(*q)), doctest::Contains("conv1: the step"), DivergedError);
  }
}
