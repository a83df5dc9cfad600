// What must hold for every registered method at every bit width.
#include <doctest/doctest.h>

#include <set>

#include "engine/ops/reduce.h"
#include "quant/quantizer.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::same_values;

namespace {

struct Case {
  std::shared_ptr<Quantizer> q;
  std::string text;
};

// Fresh quantizers: methods x 2..8 bits x (weights, signed inputs, unsigned inputs).
std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const auto& method : quantizer_names()) {
    for (int bits = 2; bits <= 8; ++bits) {
      for (const auto [is_signed, is_weight] : {std::array{true, true}, {true, false}, {false, false}}) {
        const QuantSpec spec{
            .method = method, .bits = bits, .is_signed = is_signed, .is_weight = is_weight, .seed = 3, .name = "conv1"};
        cases.push_back({make_quantizer(spec), concat(method, ", ", bits, " bits, ", is_signed ? "signed" : "unsigned",
                                                      is_weight ? " weight" : " input")});
      }
    }
  }
  return cases;
}

// {8,250}: all values of an unsigned input are >= 0, as behind a ReLU.
Tensor input_for(const Quantizer& q) {
  Tensor x = test::some_values({8, 250});
  for (int64_t i = 0; i < x.numel() && !q.spec().is_signed; ++i) x.f32()[i] = std::max(x.f32()[i], 0.0f);
  return x;
}

// Eight values per step, from below the range to above it.
Tensor sweep(const Quantizer& q) {
  const auto [low, high] = q.range();
  const auto per_row = static_cast<int64_t>(high - low + 4) * 8;
  Tensor x = Tensor::empty({1, per_row});
  for (int64_t i = 0; i < per_row; ++i)
    x.f32()[i] = q.step().item() * (low - 2 + (static_cast<float>(i) + 0.5f) / 8.0f);
  return x;
}

NamedTensors copy_of(const NamedTensors& state) {
  NamedTensors out;
  for (const auto& [name, tensor] : state) out.emplace_back(name, tensor.clone());
  return out;
}

}  // namespace

TEST_CASE("every method: evaluation gives step * code, all levels in range, and is idempotent") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    q->eval();
    q->forward(input_for(*q));  // sets what the first batch sets
    const Tensor x = sweep(*q);
    const Tensor y = q->forward(x), codes = q->codes(x);
    REQUIRE(codes.shape() == x.shape());
    std::set<int32_t> levels;
    bool equal = true;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const int32_t code = codes.data<int32_t>()[i];
      levels.insert(code);
      equal = equal && y.f32()[i] == q->step().item() * static_cast<float>(code);
    }
    CHECK(equal);
    CHECK(levels.size() <= size_t{1} << q->spec().bits);
    CHECK(levels.size() >= (size_t{1} << q->spec().bits) - 1);  // symmetric methods leave one out
    CHECK(static_cast<float>(*levels.begin()) >= q->range().low);
    CHECK(static_cast<float>(*levels.rbegin()) <= q->range().high);
    CHECK(same_values(q->forward(y), y));
  }
}

TEST_CASE("every method: finite values and gradients in training") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    Tensor x = input_for(*q);
    x.set_requires_grad(true);
    for (int call = 0; call < 2; ++call) {
      const Tensor y = q->forward(x);
      CHECK(all_finite(y));
      test::probe_loss(y).backward();
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

TEST_CASE("every method: the saved state continues where the original does") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    const Tensor x = input_for(*q);
    for (int call = 0; call < 3; ++call) q->forward(x);
    const auto resumed = make_quantizer(q->spec());
    resumed->load_state_dict(copy_of(q->state_dict()));
    CHECK(same_values(resumed->forward(x), q->forward(x)));
    q->eval();
    resumed->eval();
    CHECK(same_values(resumed->forward(x), q->forward(x)));
    CHECK(same_values(resumed->step(), q->step()));
  }
}

TEST_CASE("every method: an all-zero first input gives zeros, and later inputs still work") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    const Tensor zeros = Tensor::zeros({2, 3});
    CHECK(same_values(q->forward(zeros), zeros));
    CHECK(q->step().item() > 0.0f);
    CHECK(all_finite(q->forward(Tensor::full({2, 3}, 0.5f))));
  }
}

TEST_CASE("every method: values that are not finite are not hidden") {
  for (const Case& c : every_case()) {
    CAPTURE(c.text);
    const auto& q = c.q;
    Tensor x = input_for(*q);
    x.f32()[5] = std::nanf("");
    CHECK_THROWS_WITH_AS(q->forward(x), doctest::Contains("conv1: the first input"), DivergedError);
    q->step().fill(0.1f);
    CHECK_FALSE(std::isfinite(q->forward(x).f32()[5]));
    q->step().fill(std::nanf(""));
    CHECK_THROWS_WITH_AS(q->forward(input_for(*q)), doctest::Contains("conv1: the step"), DivergedError);
  }
}
