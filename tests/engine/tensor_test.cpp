#include "engine/tensor.h"

#include <doctest/doctest.h>

#include "engine/backend/cpu_settings.h"

using namespace ntq;

TEST_CASE("shape: sizes, counts, text, refusals") {
  const Shape shape{2, 3, 4};
  CHECK(shape.numel() == 24);
  CHECK(shape.numel_from(1) == 12);
  CHECK(shape[-1] == 4);
  CHECK(shape.str() == "{2,3,4}");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{5, 0}.numel() == 0);
  CHECK_THROWS_WITH_AS((Shape{2, -1}), doctest::Contains("must not be negative, found -1 at axis 1"),
                       std::invalid_argument);
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1}), std::invalid_argument);
  CHECK_THROWS_AS((Shape{int64_t{1} << 40, int64_t{1} << 40}), std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)shape[3], doctest::Contains("no axis 3 in {2,3,4}"), std::invalid_argument);
  CHECK_THROWS_AS((void)shape[-4], std::invalid_argument);
  CHECK_THROWS_AS((void)shape.numel_from(-1), std::invalid_argument);
  CHECK_THROWS_AS((void)shape.numel_from(4), std::invalid_argument);
  CHECK(shape.numel_from(3) == 1);
}

TEST_CASE("tensor: sizes are checked in bytes, whatever the shape") {
  constexpr int64_t kMost = int64_t{1} << 62;
  for (const Shape& shape : {Shape{kMost}, Shape{kMost / 2}, Shape{int64_t{1} << 31, int64_t{1} << 31}}) {
    CHECK_THROWS_WITH_AS(Tensor::empty(shape), doctest::Contains("has more than 2^62 bytes"), std::invalid_argument);
    CHECK_THROWS_AS(Tensor::zeros(shape, DType::i64), std::invalid_argument);
    CHECK_THROWS_AS(Tensor::full(shape, 1.0f), std::invalid_argument);
  }
  CHECK_THROWS_AS(Tensor::zeros({kMost / 4}, DType::f64), std::invalid_argument);
  CHECK_THROWS_AS(Tensor::empty({kMost}, DType::u8), DeviceError);
  CHECK_THROWS_AS(Tensor::empty({kMost / 4}), DeviceError);
  CHECK(Tensor::empty({0, int64_t{1} << 40, int64_t{1} << 22}).bytes() == 0);
}

TEST_CASE("errors know the caller's place, and do not show it to users") {
  try {
    check(1 > 2, "one ", 2);
    FAIL("check() did not throw");
  } catch (const WrongCall& error) {
    CHECK(std::string(error.what()) == "one 2");
    CHECK(error.place().rfind("tensor_test.cpp:", 0) == 0);
  }
  CHECK_THROWS_AS(check(false, "two"), std::invalid_argument);
}

TEST_CASE("tensor: handles share memory, clones do not") {
  Tensor a = Tensor::from({2, 2}, {1, 2, 3, 4});
  const Tensor b = a, c = a.clone();
  a.f32()[0] = 9;
  CHECK(b.f32()[0] == 9);
  CHECK(c.f32()[0] == 1);
  CHECK(a.view({4}).f32() == a.f32());
  const Tensor row = a.rows(1, 2);
  CHECK(row.shape() == Shape{1, 2});
  CHECK(row.f32()[0] == 3);
  CHECK_FALSE(a.unique());
  CHECK(c.unique());
}

TEST_CASE("tensor: wrong use is refused with what was found") {
  const Tensor a = Tensor::from({2, 2}, {1, 2, 3, 4});
  CHECK_THROWS_WITH_AS(a.view({3}), doctest::Contains("{2,2} cannot become {3}"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(a.rows(1, 3), doctest::Contains("[1,3)"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(a.data<int32_t>(), doctest::Contains("holds F32, asked for I32"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(a.item(), doctest::Contains("one element"), std::invalid_argument);
  CHECK_THROWS_AS(a.rows(-1, 1), std::invalid_argument);
  CHECK_THROWS_AS(a.rows(2, 1), std::invalid_argument);
  CHECK_THROWS_AS(Tensor().shape(), std::invalid_argument);
  CHECK_THROWS_AS(Tensor::from({3}, {1, 2}), std::invalid_argument);
  CHECK_THROWS_AS(Tensor::zeros({2}).copy_from(a), std::invalid_argument);
  CHECK_THROWS_AS(Tensor::empty({2}, DType::f32, Device("nosuch")), DeviceError);
}

TEST_CASE("allocator: freed blocks are used again, nothing new is asked of the system") {
  { const Tensor warm = Tensor::empty({1000}); }
  const uint64_t before = cpu_memory().system_allocations;
  for (int i = 0; i < 10; ++i) {
    const Tensor again = Tensor::empty({1000});
    CHECK(reinterpret_cast<uintptr_t>(again.raw()) % 64 == 0);
  }
  CHECK(cpu_memory().system_allocations == before);
}

TEST_CASE("allocator: more memory than there is ends in a clear error") {
  CHECK_THROWS_WITH_AS(Tensor::empty({int64_t{1} << 45}), doctest::Contains("out of memory"), DeviceError);
}
