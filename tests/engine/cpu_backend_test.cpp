// What is the CPU's alone, and what a device that lacks a primitive says; what all compute is in backend_list/.
#include "engine/backend/cpu/cpu_backend.h"

#include <doctest/doctest.h>

#include "engine/backend/cpu_settings.h"
#include "engine/ops/binary.h"
#include "engine/ops/on_device.h"
#include "engine/ops/unary.h"

using namespace ntq;

TEST_CASE("an instruction set that is unknown is refused with those that are there") {
  CHECK_THROWS_WITH_AS(cpu::kernels_of("mmx"), doctest::Contains("it can run: portable"), DeviceError);
  CHECK_THROWS_AS(set_cpu_threads(0), std::invalid_argument);
}

TEST_CASE("a device that lacks a primitive, or a type, is named with the op") {
  struct NoPooling : cpu::CpuBackend {
    NoPooling() : CpuBackend(cpu::kernels_of("portable")) {}
    bool supports(Primitive p, DType type) const override { return p != Primitive::max_pool && type == DType::f32; }
  };
  const NoPooling device;
  check_supported("avg_pool2d", device, Device(), Primitive::avg_pool, DType::f32);
  CHECK_THROWS_WITH_AS(check_supported("max_pool2d", device, Device(), Primitive::max_pool, DType::f32),
                       doctest::Contains("max_pool2d: device cpu has no F32 kernel"), DeviceError);
  const Tensor f16 = Tensor::empty({2}, DType::f16), f32 = Tensor::zeros({2});
  CHECK_THROWS_WITH_AS(neg(f16), doctest::Contains("neg: device cpu has no F16 kernel"), DeviceError);
  CHECK_THROWS_WITH_AS(add(f32, f16), doctest::Contains("add: the tensors are F32 and F16"), std::invalid_argument);
}

TEST_CASE("the CPU refuses views of another type or size") {
  const Tensor x = Tensor::zeros({4}), codes = Tensor::zeros({4}, DType::i32);
  Tensor y = Tensor::zeros({3});
  CHECK_THROWS_WITH_AS(cpu::cpu_backend().relu(x.view(), y.view()), doctest::Contains("expected 3 F32, found 4 F32"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cpu::cpu_backend().relu(codes.view(), x.view()),
                       doctest::Contains("expected 4 F32, found 4 I32"), std::invalid_argument);
}
