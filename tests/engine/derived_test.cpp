// Primitives that have a default in terms of others: the defaults against the fused kernels of the CPU. And what a
// device that lacks a primitive says.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/ops/binary.h"
#include "engine/ops/on_device.h"
#include "engine/ops/unary.h"
#include "tests/support/numeric_grad.h"

using namespace ntq;
using namespace ntq::test;

namespace {

cpu::CpuBackend& cpu_device() { return cpu::cpu_backend(); }

/// Values with what is not finite among them.
Tensor hard_values(int64_t n) {
  Tensor x = some_values({n}, 1);
  x.f32()[1] = INFINITY, x.f32()[2] = -INFINITY, x.f32()[3] = NAN, x.f32()[4] = 0;
  return x;
}

void check_close(const Tensor& found, const Tensor& expected, double tolerance) {
  for (int64_t i = 0; i < expected.numel(); ++i) {
    CAPTURE(i);
    const auto a = static_cast<double>(found.f32()[i]), b = static_cast<double>(expected.f32()[i]);
    CHECK((std::isfinite(b) ? std::abs(a - b) <= tolerance : std::isnan(b) ? std::isnan(a) : a == b));
  }
}

}  // namespace

TEST_CASE("derived elementwise primitives are those of the CPU's kernels, what is not finite included") {
  Backend& b = cpu_device();
  const Tensor x = hard_values(37), z = some_values({37}, 2);
  const auto both = [&](const auto& fused, const auto& derived) {
    Tensor expected = z.clone(), found = z.clone();
    fused(expected.view());
    derived(found.view());
    check_close(found, expected, 0);
  };
  both([&](View y) { b.scale(3, x.view(), y); }, [&](View y) { b.Backend::scale(3, x.view(), y); });
  both([&](View y) { b.axpy(3, x.view(), y); }, [&](View y) { b.Backend::axpy(3, x.view(), y); });
  both([&](View y) { b.relu(x.view(), y); }, [&](View y) { b.Backend::relu(x.view(), y); });
  both([&](View y) { b.relu_grad(x.view(), z.view(), y); },
       [&](View y) { b.Backend::relu_grad(x.view(), z.view(), y); });
  both([&](View y) { b.relu_grad(z.view(), x.view(), y); },
       [&](View y) { b.Backend::relu_grad(z.view(), x.view(), y); });
  const Tensor var = abs(x);
  both([&](View y) { b.inverse_std(var.view(), 0.5f, y); },
       [&](View y) { b.Backend::inverse_std(var.view(), 0.5f, y); });
}

TEST_CASE("derived reductions") {
  Backend& b = cpu_device();
  const Tensor x = some_values({35}, 1);
  Tensor found = Tensor::empty({5}), expected = Tensor::empty({5});
  b.sum_rows(x.view(), expected.view());
  b.Backend::sum_rows(x.view(), found.view());
  check_close(found, expected, 1e-6);

  Tensor size = Tensor::empty({1}, DType::f64), size_of_cpu = size.clone(), finite = Tensor::empty({1});
  b.sum_abs(x.view(), size_of_cpu.view());
  b.Backend::sum_abs(x.view(), size.view());
  CHECK(size.item<double>() == doctest::Approx(size_of_cpu.item<double>()));
  b.Backend::all_finite(x.view(), finite.view());
  CHECK(finite.item() == 1);
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    x.f32()[34] = bad;
    b.Backend::all_finite(x.view(), finite.view());
    CHECK(finite.item() == 0);
  }
}

TEST_CASE("spread copies along an axis wherever it lies") {
  const Tensor x = Tensor::from({4}, {1, 2, 3, 4});
  Tensor y = Tensor::empty({12});
  cpu_device().spread({4, 3, 1}, x.view(), y.view());
  CHECK(y.to_vector() == std::vector<float>{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4});
  cpu_device().spread({2, 3, 2}, x.view(), y.view());
  CHECK(y.to_vector() == std::vector<float>{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4});
  cpu_device().spread({1, 3, 4}, x.view(), y.view());
  CHECK(y.to_vector() == std::vector<float>{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4});
}

TEST_CASE("derived quantization errors, one for each step") {
  const Tensor x = some_values({500}, 1), steps = Tensor::from({3}, {0.01f, 0.1f, 0.5f});
  Tensor found = Tensor::empty({3}, DType::f64), expected = found.clone();
  cpu_device().quantize_error({-8, 7}, x.view(), steps.view(), expected.view());
  cpu_device().Backend::quantize_error({-8, 7}, x.view(), steps.view(), found.view());
  for (size_t i = 0; i < 3; ++i)
    CHECK(found.to_vector<double>()[i] == doctest::Approx(expected.to_vector<double>()[i]).epsilon(1e-5));
  CHECK(expected.to_vector<double>()[0] > expected.to_vector<double>()[1]);
}

TEST_CASE("derived optimizer steps, with a floor that keeps what is not finite visible") {
  Backend& b = cpu_device();
  const Tensor g = hard_values(37);
  const auto both = [&](const auto& fused, const auto& derived) {
    std::vector<Tensor> found, expected;
    for (int i = 0; i < 3; ++i) expected.push_back(abs(some_values({37}, 5 + i))), found.push_back(expected[i].clone());
    for (int step = 0; step < 2; ++step) fused(expected), derived(found);
    for (size_t i = 0; i < 3; ++i) check_close(found[i], expected[i], 2e-6);
  };
  for (const bool nesterov : {false, true}) {
    const SgdUpdate u{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.01f, .nesterov = nesterov, .floor = 0.2f};
    both([&](auto& t) { b.sgd_step(u, t[0].view(), g.view(), t[1].view()); },
         [&](auto& t) { b.Backend::sgd_step(u, t[0].view(), g.view(), t[1].view()); });
  }
  for (const bool decoupled : {false, true}) {
    AdamUpdate u{.lr = 0.1f, .decay_lr = 0.1f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-3f, .square_scale = 2};
    u.weight_decay = 0.1f, u.decoupled = decoupled, u.floor = 0.2f;
    both([&](auto& t) { b.adam_step(u, t[0].view(), g.view(), t[1].view(), t[2].view()); },
         [&](auto& t) { b.Backend::adam_step(u, t[0].view(), g.view(), t[1].view(), t[2].view()); });
  }
}

TEST_CASE("a device that lacks a primitive, or a type, is named with the op") {
  struct NoPooling : cpu::CpuBackend {
    NoPooling() : CpuBackend(cpu::kernels_of("portable")) {}
    bool supports(Primitive p, DType type) const override { return p != Primitive::max_pool && type == DType::f32; }
  };
  const NoPooling device;
  check_supported("avg_pool2d", device, Primitive::avg_pool, DType::f32);
  CHECK_THROWS_WITH_AS(check_supported("max_pool2d", device, Primitive::max_pool, DType::f32),
                       doctest::Contains("max_pool2d: device cpu has no F32 kernel"), DeviceError);
  const Tensor bf16 = Tensor::empty({2}, DType::bf16), f32 = Tensor::zeros({2});
  CHECK_THROWS_WITH_AS(neg(bf16), doctest::Contains("neg: device cpu has no BF16 kernel"), DeviceError);
  CHECK_THROWS_WITH_AS(add(f32, bf16), doctest::Contains("add: the tensors are F32 and BF16"), std::invalid_argument);
}

TEST_CASE("the CPU refuses views of another type or size") {
  const Tensor x = Tensor::zeros({4}), codes = Tensor::zeros({4}, DType::i32);
  Tensor y = Tensor::zeros({3});
  CHECK_THROWS_WITH_AS(cpu_device().relu(x.view(), y.view()), doctest::Contains("expected 3 F32, found 4 F32"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cpu_device().relu(codes.view(), x.view()), doctest::Contains("expected 4 F32, found 4 I32"),
                       std::invalid_argument);
}
