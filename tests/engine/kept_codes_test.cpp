// Codes kept in place of values: the same values and gradients as the ops that they stand for, and less memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine/backend/cpu_settings.h"
#include "engine/backend/profiled.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/conv.h"
#include "engine/ops/linear.h"
#include "engine/ops/norm.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// y of `op`, then the gradients of probe_loss(y) by each of `inputs`.
std::vector<Tensor> results_of(const std::function<Tensor()>& op, std::vector<Tensor> inputs) {
  for (Tensor& input : inputs) input.set_requires_grad(true), input.zero_grad();
  const Tensor y = op();
  probe_loss(y).backward();
  std::vector<Tensor> out{y.detach()};
  for (Tensor& input : inputs) {
    out.push_back(input.grad());
    input.zero_grad(), input.set_requires_grad(false);
  }
  return out;
}

/// `rounding`: of these results, as a share of the largest value; else the same bits.
void check_same(const std::vector<Tensor>& found, const std::vector<Tensor>& expected, size_t rounded = 99) {
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    if (i != rounded) {
      CHECK(same_values(found[i], expected[i]));
      continue;
    }
    CHECK(found[i].item() == doctest::Approx(static_cast<double>(expected[i].item())).epsilon(1e-5));
  }
}

/// By w of quantize(w, step, args), of which `dy` is the gradient.
Tensor quantize_gradient(const Tensor& w, const Tensor& step, const QuantizeArgs& args, const Tensor& dy) {
  Tensor leaf = w.clone();
  leaf.set_requires_grad(true);
  backward(quantize(leaf, step, args), dy);
  return leaf.grad();
}

BatchNormArgs some_norm(int64_t channels) {
  return {.gamma = some_values({channels}, 3),
          .beta = some_values({channels}, 4),
          .running_mean = some_values({channels}, 5),
          .running_var = abs(some_values({channels}, 6))};
}

}  // namespace

TEST_CASE("kept codes of an input are its quantized values, and so are the gradients behind a product") {
  const Tensor x = some_values({6, 20}, 1), w = some_values({3, 20}, 2), step = Tensor::from({1}, {0.11f});
  for (const QuantRange range : {QuantRange{-4, 3}, {0, 15}, {-128, 127}, {-0x1p-126f, 15.00001f}}) {
    CAPTURE(range.low);
    const PlainSteps steps{step, {.range = range, .grad_scale = 0.3f}};
    check_same(results_of([&] { return linear(quantize_kept(x, steps), w); }, {x, step, w}),
               results_of([&] { return linear(quantize(x, step, steps.args), w); }, {x, step, w}));
  }
}

TEST_CASE("batch norm that keeps codes is batch norm, then the quantizer") {
  // Of 16 channels rows end with the runs of the step's sums, so that all bits agree; of 5 the sums have another order.
  for (const int64_t channels : {16, 5}) {
    const Shape shape{2, 24, 24, channels};
    const Tensor x = some_values(shape, 1), residual = some_values(shape, 2), w = some_values({4, 3, 3, channels}, 7);
    const Tensor step = Tensor::from({1}, {0.21f});
    for (int options = 0; options < 8; ++options) {
      CAPTURE(options);
      BatchNormArgs args = some_norm(channels), own = args;
      args.training = options & 1, args.relu = options & 2;
      if (options & 4) args.residual = residual;
      own = args;
      own.running_mean = args.running_mean.clone(), own.running_var = args.running_var.clone();
      const PlainSteps steps{step, {.range = {args.relu ? 0.0f : -4.0f, 7}, .grad_scale = 0.3f}};
      std::vector<Tensor> inputs{step, x, w, args.gamma, args.beta};
      if (args.residual) inputs.push_back(residual);
      check_same(results_of([&] { return conv2d(batch_norm_codes(x, args, steps), w); }, inputs),
                 results_of([&] { return conv2d(quantize(batch_norm(x, own), step, steps.args), w); }, inputs),
                 channels == 16 ? 99 : 1);
      CHECK(same_values(args.running_mean, own.running_mean));
      CHECK(same_values(args.running_var, own.running_var));
    }
  }
}

TEST_CASE("gradients behind batch norm that keeps codes have the same bits for any number of threads") {
  const Tensor x = some_values({4, 40, 40, 24}, 1), w = some_values({4, 1, 1, 24}, 7), step = Tensor::from({1}, {0.2f});
  BatchNormArgs args = some_norm(24);
  args.relu = true;
  const PlainSteps steps{step, {.range = {0, 15}, .grad_scale = 0.3f}};
  const auto run = [&](int threads) {
    set_cpu_threads(threads);
    return results_of([&] { return conv2d(batch_norm_codes(x, args, steps), w); }, {x, step, w, args.gamma, args.beta});
  };
  const int before = cpu_threads();
  const std::vector<Tensor> one = run(1);
  for (const int threads : {2, 5}) check_same(run(threads), one);
  set_cpu_threads(before);
}

TEST_CASE("codes hide no value that is not finite") {
  const Tensor w = some_values({3, 16}, 2), step = Tensor::from({1}, {0.1f});
  const PlainSteps steps{step, {.range = {0, 15}}};
  BatchNormArgs args = some_norm(16);
  args.training = false;
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    Tensor x = some_values({40, 16}, 1);
    CHECK(all_finite(linear(quantize_kept(x, steps), w)));
    CHECK(all_finite(linear(batch_norm_codes(x, args, steps), w)));
    x.f32()[333] = bad;
    CHECK_FALSE(all_finite(linear(quantize_kept(x, steps), w)));
    CHECK_FALSE(all_finite(linear(batch_norm_codes(x, args, steps), w)));
  }
}

TEST_CASE("codes that a graph keeps take a byte each") {
  const int64_t n = 64 * 64 * 16;
  Tensor x = some_values({n / 16, 16}, 1), step = Tensor::from({1}, {0.1f}), w = some_values({2, 16}, 2);
  BatchNormArgs args = some_norm(16);
  args.relu = true;
  step.set_requires_grad(true), x.set_requires_grad(true), w.set_requires_grad(true);
  const PlainSteps steps{step, {.range = {0, 15}}};
  const auto kept = [](const std::function<Tensor()>& op) {
    const size_t before = cpu_memory().in_use;
    const Tensor y = op();
    return static_cast<int64_t>(cpu_memory().in_use - before);
  };
  const int64_t little = n / 2 + 4096;  // what the product gives, statistics
  CHECK(kept([&] { return linear(batch_norm_codes(x, args, steps), w); }) < n + little);
  CHECK(kept([&] { return linear(quantize(batch_norm(x, args), step, steps.args), w); }) > 8 * n);
  CHECK(kept([&] { return linear(quantize_kept(x, steps), w); }) < little);  // x is there
  const Tensor half = cast(x, DType::bf16);
  CHECK(kept([&] { return linear(quantize_kept(half, steps), w); }) < little);
}

TEST_CASE("filters that a product alone has are kept as its gradient multiplies them, with the same gradients") {
  const Tensor step = Tensor::from({1}, {0.11f});
  const QuantizeArgs args{.range = {-8, 7}, .grad_scale = 0.3f, .noise = {.c = 0.2f, .k = 5, .key = {.seed = 3}}};
  for (const int64_t stride : {1, 2}) {
    CAPTURE(stride);
    Tensor x = cast(some_values({2, 4, 4, 64}, 1), DType::bf16), w = some_values({64, 3, 3, 64}, 2);
    const auto gradients = [&](const Tensor& filters) {
      x.set_requires_grad(true), x.zero_grad();
      const Tensor y = conv2d(x, filters, {.stride = stride, .padding = 1});
      probe_loss(cast(y, DType::f32)).backward();
      return std::vector<Tensor>{y.detach(), x.grad()};
    };
    Tensor leaf = quantize(w, step, args);
    leaf.set_requires_grad(true);
    const std::vector<Tensor> expected = gradients(leaf);
    w.set_requires_grad(true);
    check_same(gradients(quantize(w, step, args)), expected);
    CHECK(same_values(w.grad(), quantize_gradient(w, step, args, leaf.grad())));

    const size_t before = cpu_memory().in_use;
    const Tensor y = conv2d(x, quantize(w, step, args), {.stride = stride, .padding = 1});
    const size_t kept = cpu_memory().in_use - before - y.bytes();
    CHECK(kept < (stride == 1 ? w.bytes() * 9 / 10 : w.bytes() * 6 / 10));
  }
}

TEST_CASE("codes that are made again for a gradient are those of the product") {
  const Tensor x = some_values({6, 5, 5, 20}, 1), step = Tensor::from({1}, {0.11f});
  for (const DType type : {DType::f32, DType::bf16}) {
    Tensor images = cast(x, type), w = some_values({3, 3, 3, 20}, 2);
    images.set_requires_grad(true), w.set_requires_grad(true);
    const Codes codes = quantize_kept(images, {step, {.range = {-8, 7}}});
    const auto filter_gradient = [&](const Codes& input) {
      w.zero_grad();
      probe_loss(cast(conv2d(input, w), DType::f32)).backward();
      return w.grad();
    };
    const Tensor held = filter_gradient({codes.values, codes.grid, codes.kept});
    CHECK(same_values(filter_gradient(codes), held));
  }
}

TEST_CASE("codes are kept where something is recorded, and refused where a byte cannot hold them") {
  Tensor x = some_values({4, 8}, 1), step = Tensor::from({1}, {0.1f});
  PlainSteps steps{step, {.range = {0, 15}}};
  CHECK_FALSE(keeps_codes(x, steps));
  step.set_requires_grad(true);
  CHECK(keeps_codes(x, steps));
  {
    const NoGrad none;
    CHECK_FALSE(keeps_codes(x, steps));
  }
  steps.args.range = {-128, 200};
  CHECK_THROWS_WITH_AS(quantize_kept(x, steps), doctest::Contains("cannot hold [-128, 200]"), std::invalid_argument);
}

TEST_CASE("kept codes of bfloat16 are multiplied as whole numbers, their step by the filters") {
  const Tensor x = cast(cast(some_values({6, 5, 5, 20}, 1), DType::bf16), DType::f32);
  const Tensor w = some_values({3, 3, 3, 20}, 2), step = Tensor::from({1}, {0.11f});
  BatchNormArgs args = some_norm(20);
  args.relu = true;
  for (const bool fused : {false, true}) {
    CAPTURE(fused);
    const PlainSteps steps{step, {.range = {fused ? 0.0f : -8.0f, 7}, .grad_scale = 0.3f}};
    const auto product = [&](const Tensor& images) {
      return conv2d(fused ? batch_norm_codes(images, args, steps) : quantize_kept(images, steps), w);
    };
    const std::vector<Tensor> inputs{x, step, w, args.gamma, args.beta};
    const std::vector<Tensor> half =
                                  results_of([&] { return cast(product(cast(x, DType::bf16)), DType::f32); }, inputs),
                              full = results_of([&] { return product(x); }, inputs);
    for (size_t i = 0; i < full.size(); ++i) {
      if (!full[i]) continue;  // no norm: gamma and beta have none
      CAPTURE(i);
      const double off = std::sqrt(static_cast<double>(mean(square(sub(half[i], full[i]))).item())),
                   size = std::sqrt(static_cast<double>(mean(square(full[i])).item()));
      CHECK(off < (i == 2 ? 0.05 : 0.01) * size);  // of the step: a small difference of large sums
      CHECK(off > 0);
    }
  }
}

TEST_CASE("a quantizer behind batch norm leaves its gradient to it where the values have other readers") {
  for (int options = 0; options < 32; ++options) {
    CAPTURE(options);
    const int64_t channels = options & 1 ? 16 : 5;  // as above
    const DType type = options & 2 ? DType::bf16 : DType::f32;
    const bool two_readers = options & 4;
    const Tensor x = some_values({2, 24, 24, channels}, 1), residual = some_values(x.shape(), 2);
    const Tensor w = some_values({channels, 3, 3, channels}, 7), step = Tensor::from({1}, {0.21f});
    BatchNormArgs args = some_norm(channels);
    args.training = args.relu = options & 8;
    std::vector<Tensor> inputs{step, x, w, args.gamma, args.beta};
    if (options & 16) inputs.push_back(residual);
    const auto block = [&](bool kept, bool computed_step) {
      BatchNormArgs norm = args;
      if (options & 16) norm.residual = cast(residual, type);
      const Tensor y = batch_norm(cast(x, type), norm);
      const PlainSteps steps{computed_step ? mul(step, 1.0f) : step,
                             {.range = {args.relu ? 0.0f : -4.0f, 7}, .grad_scale = 0.3f}};
      const Tensor z = kept ? conv2d(quantize_kept(y, steps), w, {.padding = 1})
                            : conv2d(quantize(y, steps.step, steps.args), w, {.padding = 1});
      return cast(two_readers ? add(z, y) : z, DType::f32);
    };
    // A step that is no leaf may have to run its gradient before the norm's.
    for (const bool computed : {true, false}) {
      CAPTURE(computed);
      std::vector<std::string> primitives;
      profile_primitives({}, [&](const PrimitiveCall& call) { primitives.push_back(call.name); });
      const std::vector<Tensor> found = results_of([&] { return block(true, computed); }, inputs);
      profile_primitives({}, {});
      const bool joined = two_readers && !computed;
      CHECK(std::count(primitives.begin(), primitives.end(), "batch_norm_codes_grad") == (joined ? 1 : 0));
      CHECK(std::count(primitives.begin(), primitives.end(), "quantize_grad") == (joined ? 0 : 1));
      // Of bfloat16 the products differ from those of values.
      const bool kept = type == DType::bf16;
      check_same(found, results_of([&] { return block(kept, kept); }, inputs), channels == 16 ? 99 : 1);
    }
  }
}
