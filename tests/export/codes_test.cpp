// Every method's values, as the deploy graph has them.
#include "export/codes.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <map>

#include "export/lower.h"
#include "quant/method.h"
#include "tests/export/networks.h"
#include "tests/support/deploy_oracle.h"

using namespace ntq;
using namespace ntq::test;

namespace {

std::shared_ptr<Quantizer> ready(QuantSpec spec, const Tensor& x) {
  spec.name = "layer";
  const auto quantizer = make_quantizer(spec);
  quantizer->train();
  quantizer->forward(x);
  quantizer->eval();
  for (auto& [name, tensor] : quantizer->named_parameters()) {
    if (name == "theta") tensor.copy_from(noise_image(tensor.shape(), 8));  // as training leaves it
  }
  return quantizer;
}

/// What the form stands for, in float64.
std::vector<double> values_of(const WeightForm& form) {
  std::vector<double> out;
  const infer::Weights& w = form.weights;
  const size_t taps = static_cast<size_t>(w.taps()), table = size_t{1} << std::min(w.bits, 8);
  for (size_t i = 0; i < static_cast<size_t>(w.size()); ++i) {
    const size_t c = i / taps;
    if (w.bits == 32) {
      out.push_back(static_cast<double>(w.values[i]));
    } else if (w.levels.empty()) {
      out.push_back(form.step[c] * (w.halves == 0 ? w.codes[i] : 2 * w.codes[i] + w.halves));
    } else {
      const size_t first = w.levels.size() == table ? 0 : c * table;
      out.push_back(static_cast<double>(w.levels[first + table / 2 + static_cast<size_t>(w.codes[i] + 128) - 128]));
    }
  }
  return out;
}

double value_of(const InputForm& form, int code) {
  if (!form.codes.levels.empty())
    return static_cast<double>(form.codes.levels[static_cast<size_t>(code - form.codes.low)]);
  return form.step * code + static_cast<double>(form.codes.offset);
}

}  // namespace

TEST_CASE("weights of every method, of 2 to 8 bits: the values that the network computes with") {
  const Tensor w = noise_image({3, 3, 3, 8}, 4);
  for (const std::string& method : quantizer_names()) {
    const QuantScope scope = quant_method(method).scope;
    if (!scope.weights) continue;
    for (int b = scope.least_bits; b <= std::min(scope.most_bits, 8); ++b) {
      for (const bool per_channel : {false, true}) {
        if (per_channel && !scope.per_channel) continue;
        CAPTURE(method);
        CAPTURE(b);
        const auto q = ready({.method = method, .bits = b, .per_channel = per_channel, .shape = w.shape()}, w);
        if (!q->traits().codes) continue;
        const WeightForm form = weight_form(*q, w);
        const std::vector<float> expected = q->forward(w).to_vector();
        const std::vector<double> found = values_of(form);
        REQUIRE(found.size() == expected.size());
        double worst = 0, most = 0;
        for (size_t i = 0; i < found.size(); ++i) {
          worst = std::max(worst, std::abs(found[i] - static_cast<double>(expected[i])));
          most = std::max(most, std::abs(static_cast<double>(expected[i])));
        }
        CHECK(worst <= 2e-6 * most);
        CHECK(form.why_float.empty() == form.weights.levels.empty());
        CHECK(form.weights.bits <= 8);
      }
    }
  }
}

TEST_CASE("which methods have integers at which bits: the table of docs/methods.md") {
  const Tensor w = noise_image({3, 3, 3, 8}, 4), x = noise_image({1, 8, 8, 4}, 5);
  std::vector<float> positive = x.to_vector();
  for (float& v : positive) v = std::max(v, 0.0f);
  const Tensor behind_relu = Tensor::from(x.shape(), std::span<const float>(positive));
  const auto bits_of = [&](const std::string& method, const QuantSpec& side, const Tensor& input) {
    const QuantScope scope = quant_method(method).scope;
    std::string found;
    for (int b = std::max(scope.least_bits, 2); b <= std::min(scope.most_bits, 8); ++b) {
      QuantSpec spec = side;
      spec.method = method, spec.bits = b, spec.shape = side.is_weight ? input.shape() : Shape();
      const auto q = ready(spec, input);
      if (!q->traits().codes) continue;
      const bool even = side.is_weight ? weight_form(*q, input).why_float.empty() : input_form(*q).why_float.empty();
      if (even) found += static_cast<char>('0' + b);
    }
    return found;
  };
  const std::map<std::string, std::array<const char*, 3>> special = {
      {"apot", {"28", "78", "28"}}, {"lcq", {"2", "", "2"}}, {"lq-nets", {"", "", ""}}, {"diffq", {"", "", ""}}};
  for (const std::string& method : quantizer_names()) {
    CAPTURE(method);
    const QuantScope scope = quant_method(method).scope;
    const auto found = special.find(method);
    const auto expected = found == special.end() ? std::array{"2345678", "2345678", "2345678"} : found->second;
    if (scope.weights) CHECK(bits_of(method, {}, w) == expected[0]);
    if (scope.unsigned_inputs)
      CHECK(bits_of(method, {.is_signed = false, .is_weight = false}, behind_relu) == expected[1]);
    if (scope.signed_inputs) CHECK(bits_of(method, {.is_weight = false}, x) == expected[2]);
  }
}

TEST_CASE("which weights have codes of even steps") {
  const Tensor w = noise_image({3, 3, 3, 8}, 4);
  const auto form = [&](const char* method, int b) {
    return weight_form(*ready({.method = method, .bits = b, .shape = w.shape()}, w), w);
  };
  CHECK(form("lsq", 4).weights.bits == 4);
  CHECK(form("minmax", 8).weights.bits == 8);
  CHECK(form("qil", 3).weights.bits == 3);
  CHECK(form("lsq", 4).weights.halves == 0);
  // Odd multiples of half a step.
  for (const char* method : {"dorefa", "pact", "ewgs"}) {
    for (const int b : {2, 4, 8}) {
      CAPTURE(method);
      CAPTURE(b);
      CHECK(form(method, b).why_float.empty());
      CHECK(form(method, b).weights.bits == b);
      CHECK(form(method, b).weights.halves == 1);
    }
  }
  CHECK(form("dorefa", 4).step[0] == doctest::Approx(1.0 / 15));
  // Zero elsewhere than in the middle.
  const WeightForm noisy = form("quant-noise", 8);
  CHECK(noisy.why_float.empty());
  CHECK(noisy.weights.bits == 8);
  CHECK(noisy.weights.halves % 2 == 0);
  CHECK(form("lq-nets", 2).why_float == "the weights of method lq-nets are not evenly spaced");
  CHECK(form("lcq", 4).weights.levels.size() == 16);
  CHECK(form("apot", 4).weights.levels.size() == 16);
}

TEST_CASE("inputs of every method: its codes, asked anywhere, and their values") {
  for (const std::string& method : quantizer_names()) {
    const QuantScope scope = quant_method(method).scope;
    for (const bool is_signed : {false, true}) {
      if (!(is_signed ? scope.signed_inputs : scope.unsigned_inputs)) continue;
      for (const int b : {2, 4, 8}) {
        CAPTURE(method);
        CAPTURE(is_signed);
        CAPTURE(b);
        Tensor x = noise_image({1, 8, 8, 4}, 5);
        if (!is_signed)
          x = Tensor::from(x.shape(), std::span<const float>([&] {
                             std::vector<float> v = x.to_vector();
                             for (float& one : v) one = std::max(one, 0.0f);
                             return v;
                           }()));
        const auto q = ready({.method = method, .bits = b, .is_signed = is_signed, .is_weight = false}, x);
        if (!q->traits().codes) continue;
        const InputForm form = input_form(*q);
        std::vector<float> asked = noise_image({4000}, 6).to_vector();
        asked.insert(asked.end(), {0.0f, 1e6f, -1e6f});
        const Tensor many = Tensor::from({static_cast<int64_t>(asked.size())}, std::span<const float>(asked));
        const std::vector<float> expected = q->forward(many).to_vector();
        double worst = 0, most = 0;
        for (size_t i = 0; i < asked.size(); ++i) {
          const double value = value_of(form, oracle_code(form.codes, asked[i]));
          worst = std::max(worst, std::abs(value - static_cast<double>(expected[i])));
          most = std::max(most, std::abs(static_cast<double>(expected[i])));
        }
        CHECK(worst <= 2e-6 * most);
        CHECK(form.codes.low <= 0);
        CHECK(form.codes.high - form.codes.low < 1 << form.codes.bits);
      }
    }
  }
}

TEST_CASE("weights of an asymmetric range whose zero is far from the middle take no bit more") {
  std::vector<float> values;
  for (int i = 0; i <= 255; ++i) values.push_back(static_cast<float>(i - 20) / 100);
  const Tensor w = Tensor::from({256, 1}, std::span<const float>(values));
  QuantSpec spec{.method = "minmax", .bits = 8, .shape = w.shape()};
  spec.settings.insert_or_assign("asymmetric", true);
  const WeightForm form = weight_form(*ready(spec, w), w);
  CHECK(form.why_float.empty());
  CHECK(form.weights.bits == 8);
  CHECK(form.weights.halves == 2 * (128 - 20));
  const std::vector<double> found = values_of(form);
  for (size_t i = 0; i < values.size(); ++i)
    CHECK(found[i] == doctest::Approx(static_cast<double>(values[i])).epsilon(1e-5).scale(1));
}

TEST_CASE("which inputs are rounded to the nearest step, and which have thresholds") {
  const Tensor x = noise_image({1, 8, 8, 4}, 5);
  const auto form = [&](const char* method, bool is_signed) {
    return input_form(*ready({.method = method, .bits = 4, .is_signed = is_signed, .is_weight = false}, x));
  };
  for (const char* method : {"lsq", "ntq", "minmax", "faq", "pact", "dorefa"}) {
    CAPTURE(method);
    CHECK(form(method, true).codes.thresholds.empty());
    CHECK(form(method, true).codes.offset == 0);
  }
  const InputForm offset = form("lsq+", true);
  CHECK(offset.codes.thresholds.empty());
  CHECK(offset.codes.offset != 0);
  const InputForm interval = form("qil", false);
  CHECK(interval.codes.thresholds.size() == 15);
  CHECK(interval.codes.offset == 0);
  CHECK(interval.codes.step == static_cast<float>(interval.step));  // what a code is worth
  CHECK(interval.step > 0);
  CHECK(interval.why_float.empty());
  const InputForm halves = form("ewgs", true);
  CHECK(halves.why_float.empty());
  CHECK(static_cast<double>(halves.codes.offset) == doctest::Approx(halves.step / 2));
  CHECK(form("lcq", false).why_float == "the inputs of method lcq are not evenly spaced");
}

TEST_CASE("a network of every method is near its graph") {
  for (const std::string& method : quantizer_names()) {
    CAPTURE(method);
    ModelOptions options = bits(8, quant_method(method).scope.unsigned_inputs ? 8 : 32, method);
    const auto model = settled("resnet20", options, 8);
    const Lowered lowered = lower(*model, {8, 8, 3});
    const Tensor image = noise_image({1, 8, 8, 3}, 9);
    const std::vector<float> exact = oracle_run(lowered.graph, image.to_vector()).outputs.back().values,
                             trained = float_logits(*model, image);
    for (size_t i = 0; i < exact.size(); ++i) CHECK(exact[i] == doctest::Approx(trained[i]).epsilon(0.05).scale(1));
  }
}
