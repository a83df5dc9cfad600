// Every fused op against its twin of elementary ops: values, both within a stated share of the largest, and gradients.
// The twins' own gradients are checked against differences, and through them the fused ones.
#include <doctest/doctest.h>

#include "engine/backend/registry.h"
#include "engine/ops/loss.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/twins/loss.h"
#include "tests/support/twins/norm.h"
#include "tests/support/twins/optimizers.h"
#include "tests/support/twins/pool.h"
#include "tests/support/twins/quantize.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// Largest difference as a share of the largest value, at least of 1e-6.
double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0, largest = 1e-6;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const auto x = static_cast<double>(a.f32()[i]), y = static_cast<double>(b.f32()[i]);
    const bool both = std::isnan(x) && std::isnan(y);
    if (x != y && !both) worst = std::max(worst, std::isfinite(x - y) ? std::abs(x - y) : 1e300);
    if (std::isfinite(y)) largest = std::max(largest, std::abs(y));
  }
  return worst / largest;
}

using Op = std::function<Tensor()>;

/// y of `op`, then the gradients of probe_loss(y) by each of `inputs`.
std::vector<Tensor> value_and_gradients(const Op& op, std::vector<Tensor> inputs) {
  for (Tensor& input : inputs) input.set_requires_grad(true), input.zero_grad();
  const Tensor y = op();
  probe_loss(y).backward();
  std::vector<Tensor> all{y.detach()};
  for (Tensor& input : inputs) {
    all.push_back(input.grad());
    input.zero_grad(), input.set_requires_grad(false);
  }
  return all;
}

void check_agreement(const Op& fused, const Op& twin, const std::vector<Tensor>& inputs, double tolerance) {
  const std::vector<Tensor> found = value_and_gradients(fused, inputs), expected = value_and_gradients(twin, inputs);
  for (size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(distance(found[i], expected[i]) <= tolerance);
  }
}

void check_twin(const Op& twin, const std::vector<Tensor>& inputs, float step = 1e-2f, double tolerance = 5e-3) {
  for (const Tensor& input : inputs)
    CHECK(numeric_grad_error([&] { return probe_loss(twin()); }, input, step) < tolerance);
}

Tensor labels_below(int64_t rows, int64_t classes, Tensor& as_float) {
  std::vector<int32_t> labels(static_cast<size_t>(rows));
  as_float = Tensor::empty({rows});
  for (int64_t i = 0; i < rows; ++i) {
    labels[static_cast<size_t>(i)] = static_cast<int32_t>(i * 7 % classes);
    as_float.f32()[i] = static_cast<float>(i * 7 % classes);
  }
  return Tensor::from({rows}, std::span<const int32_t>(labels));
}

}  // namespace

TEST_CASE("softmax_cross_entropy is its twin") {
  for (const auto& [rows, classes] : {std::pair<int64_t, int64_t>{1, 1}, {4, 5}, {7, 17}, {33, 100}}) {
    for (const float smoothing : {0.0f, 0.1f}) {
      const Tensor logits = scale(some_values({rows, classes}, 2), 6);
      Tensor numbers;
      const Tensor labels = labels_below(rows, classes, numbers);
      const Op twin = [&, n = numbers, s = smoothing] { return cross_entropy_twin(logits, n, s); };
      check_agreement([&, s = smoothing] { return softmax_cross_entropy(logits, labels, s); }, twin, {logits}, 1e-6);
      if (rows == 4) check_twin(twin, {logits});
    }
  }
}

TEST_CASE("batch_norm with and without residual, ReLU and batch statistics is its twin") {
  for (const Shape& shape : {Shape{3, 4, 4, 5}, Shape{5, 16}, Shape{2, 3, 3, 33}}) {
    const int64_t channels = shape[shape.rank() - 1];
    const Tensor x = some_values(shape, 1), residual = some_values(shape, 2);
    const Tensor gamma = some_values({channels}, 3), beta = some_values({channels}, 4);
    for (int options = 0; options < 8; ++options) {
      CAPTURE(options);
      BatchNormArgs args{gamma, beta, some_values({channels}, 5), add(some_values({channels}, 6), 1.5f)};
      args.training = options & 1, args.relu = options & 2;
      if (options & 4) args.residual = residual;
      BatchNormArgs own = args;
      own.running_mean = args.running_mean.clone(), own.running_var = args.running_var.clone();
      std::vector<Tensor> inputs{x, gamma, beta};
      if (args.residual) inputs.push_back(residual);
      const Op twin = [&] { return batch_norm_twin(x, own); };
      check_agreement([&] { return batch_norm(x, args); }, twin, inputs, 1e-5);
      CHECK(distance(args.running_mean, own.running_mean) <= 1e-6);
      CHECK(distance(args.running_var, own.running_var) <= 1e-6);
      if (channels == 5 && !args.relu) check_twin(twin, inputs);  // differences step over the kink of a ReLU
    }
  }
}

TEST_CASE("relu is its twin, to the bit, for what is not finite too") {
  Tensor x = some_values({37}, 1);
  x.f32()[3] = 0, x.f32()[4] = -0.0f, x.f32()[5] = INFINITY, x.f32()[6] = -INFINITY;
  check_agreement([&] { return relu(x); }, [&] { return relu_twin(x); }, {x}, 0);
  x.f32()[36] = std::nanf("");
  CHECK(distance(relu(x), relu_twin(x)) == 0);
  for (int64_t i = 0; i < 37; ++i) x.f32()[i] = static_cast<float>(i - 18) + 0.5f;
  check_twin([&] { return relu_twin(x); }, {x});
}

TEST_CASE("quantize is its twin, the noise included") {
  const Tensor x = some_values({1003}, 5), step = Tensor::from({1}, {0.037f});
  const QuantRange ranges[] = {{-8, 7}, {0, 3}, {-1, 1}, {-128, 127}};
  for (const QuantRange& range : ranges) {
    const QuantizeArgs args{.range = range, .grad_scale = 0.25f};
    const Op twin = [&] { return quantize_twin(x, step, args); };
    const Op fused = [&] { return quantize(x, step, args); };
    check_agreement(fused, twin, {x, step}, 2e-5);  // the step's gradient is a small difference of large sums
    CHECK(distance(fused(), twin()) == 0);
  }
  // What a key draws: of x = 1/2 and step 2 the code is 0 and the error 1/2, so with k = 0 noise is c sqrt(1/2) eps.
  QuantNoise noise{.c = 1, .k = 0, .key = {.seed = 3, .stream = 4, .step = 5}};
  const Tensor eps =
      scale(quantize(Tensor::full(x.shape(), 0.5f), Tensor::from({1}, {2}), {{-2, 1}, 1, noise}), std::sqrt(2.0f));
  noise.c = 0.2f, noise.k = 50;
  const QuantizeArgs noisy{.range = {-8, 7}, .grad_scale = 0.25f, .noise = noise};
  check_agreement([&] { return quantize(x, step, noisy); }, [&] { return quantize_twin(x, step, noisy, eps); },
                  {x, step}, 2e-5);
}

TEST_CASE("the quantizer's twin: its gradients by differences, where rounding is left out") {
  // Within a cell y does not move with x: the surrogate's gradients are those of step * clamp(x / step) plus, for the
  // step, of the rounding's offset at a fixed code.
  const Tensor x = some_values({60}, 5), step = Tensor::from({1}, {0.11f});
  const QuantizeArgs args{.range = {-8, 7}};
  const Tensor offset = div(sub(quantize_twin(x, step, args), mul(clamp(div(x, step), -8, 7), step)), step);
  const Op surrogate = [&] { return mul(add(clamp(div(x, step), -8, 7), offset), step); };
  check_agreement([&] { return quantize_twin(x, step, args); }, surrogate, {x, step}, 1e-5);
  check_twin(surrogate, {x, step}, 1e-4f, 2e-2);
}

TEST_CASE("pooling of windows that tile the image is its twin") {
  const auto most = [](const Tensor& x, Axis axis) { return max(x, axis); };
  const auto middle = [](const Tensor& x, Axis axis) { return mean(x, axis); };
  for (const int64_t channels : {3, 16, 33}) {
    const Tensor x = some_values({2, 6, 12, channels}, 1);
    for (const int64_t kernel : {2, 3}) {
      const PoolOptions options{.kernel = kernel, .stride = kernel};
      check_agreement([&] { return max_pool2d(x, options); }, [&, kernel] { return tiled_pool_twin(x, kernel, most); },
                      {x}, 0);
      check_agreement([&] { return avg_pool2d(x, options); },
                      [&, kernel] { return tiled_pool_twin(x, kernel, middle); }, {x}, 1e-6);
    }
    check_agreement([&] { return global_avg_pool(x); }, [&] { return global_avg_pool_twin(x); }, {x}, 1e-6);
    if (channels == 3) {
      check_twin([&] { return tiled_pool_twin(x, 2, middle); }, {x});
      check_twin([&] { return tiled_pool_twin(x, 2, most); }, {x}, 1e-4f, 2e-2);
      check_twin([&] { return global_avg_pool_twin(x); }, {x});
    }
  }
}

TEST_CASE("the optimizers' updates are their twins: three steps, borders, what is not finite") {
  const auto same = [](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i) CHECK(distance(a[i], b[i]) <= 1e-6);
  };
  const auto start = [] { return std::vector<Tensor>{some_values({37}, 1), Tensor::zeros({37}), Tensor::zeros({37})}; };
  Backend& backend = backend_for({});
  for (const bool option : {false, true}) {
    for (const float floor : {SgdUpdate{}.floor, 0.2f}) {
      SgdUpdate sgd{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.1f, .nesterov = option, .floor = floor};
      AdamUpdate adam{.lr = 0.1f, .decay_lr = 0.05f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f};
      adam.weight_decay = 0.1f, adam.decoupled = option, adam.floor = floor;
      if (option == (floor > 0)) sgd.most_change = adam.most_change = 1.25f;
      std::vector<Tensor> s = start(), st = start(), a = start(), at = start();
      for (uint32_t step = 0; step < 3; ++step) {
        Tensor g = some_values({37}, 9 + step);
        if (step == 2) g.f32()[3] = INFINITY, g.f32()[20] = -INFINITY, g.f32()[36] = std::nanf("");
        adam.square_scale = 1 / (1 - std::pow(0.999f, static_cast<float>(step + 1)));
        backend.sgd_step(sgd, s[0].view(), g.view(), s[1].view());
        backend.adam_step(adam, a[0].view(), g.view(), a[1].view(), a[2].view());
        sgd_twin(sgd, st[0], g, st[1]);
        adam_twin(adam, at[0], g, at[1], at[2]);
        same(s, st), same(a, at);
      }
    }
  }
}
