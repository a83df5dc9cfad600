// Tensors on a device whose memory the host cannot read and whose work waits until someone asks for it.
#include <doctest/doctest.h>

#include "engine/backend/registry.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/codes.h"
#include "engine/ops/linear.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "engine/serialize.h"
#include "tests/support/emulated_device.h"
#include "tests/support/files.h"

using namespace ntq;
using test::emulated_counters;
using test::emulated_device;

namespace {

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("emulated: values there and back, between devices, in views") {
  const Device far = emulated_device();
  const Tensor x = Tensor::from({2, 2}, {1, 2, 3, 4});
  const Tensor y = x.to(far);
  CHECK(y.device() == far);
  CHECK_FALSE(y.on_host());
  CHECK(x.to(Device()).id() == x.id());
  CHECK(y.to(far).id() == y.id());
  CHECK(y.to_vector() == x.to_vector());
  CHECK(y.to(Device()).to_vector() == x.to_vector());
  CHECK(y.rows(1, 2).to_vector() == Floats{3, 4});
  CHECK(y.clone().to_vector() == x.to_vector());
  CHECK(y.to(emulated_device(1)).to(Device("cpu:portable")).to_vector() == x.to_vector());
  CHECK(Tensor::from({2}, {5, 6}, far).to_vector() == Floats{5, 6});
  CHECK(Tensor::full({1}, 7, far).item() == 7);
  CHECK(Tensor::zeros({3}, DType::i32, far).to(Device()).data<int32_t>()[2] == 0);
  Tensor z = Tensor::zeros({2, 2}, DType::f32, far);
  z.copy_from(x);
  CHECK(z.to_vector() == x.to_vector());
  CHECK(Tensor::empty({0}, DType::f32, far).to_vector().empty());
}

TEST_CASE("emulated: what the host may not do is refused in words") {
  const Tensor x = Tensor::full({2}, 3, emulated_device()), here = Tensor::full({2}, 3);
  CHECK_THROWS_WITH_AS(x.f32(), doctest::Contains("the values are on emulated:0; bring them to the host"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(add(x, here), doctest::Contains("the tensors are on emulated:0 and cpu"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(cast_f32(Tensor::zeros({2}, DType::i32, x.device())), doctest::Contains("are on emulated:0"),
                       std::invalid_argument);
}

TEST_CASE("emulated: the memory of a moved tensor is copied at once, pinned memory at its time") {
  const Device far = emulated_device();
  Tensor plain = Tensor::full({4}, 1), pinned = Tensor::pinned({4}, DType::f32, far);
  CHECK(pinned.device() == Device());
  pinned.fill(1);
  const Tensor a = plain.to(far), b = pinned.to(far);
  plain.fill(2);
  pinned.fill(2);  // before anyone waited: what a program must not do
  CHECK(a.to_vector()[0] == 1);
  CHECK(b.to_vector()[0] == 2);
  pinned.fill(3);
  const Tensor c = pinned.to(far);
  pinned = Tensor();  // given back while the copy is queued
  CHECK(c.to_vector()[0] == 3);
}

TEST_CASE("emulated: a move is part of the graph, its gradient comes back") {
  const Device far = emulated_device();
  Tensor w = Tensor::from({2}, {1, 2}).set_requires_grad(true);
  const Tensor loss = sum(square(w.to(far)));
  CHECK(loss.device() == far);
  loss.backward();
  CHECK(w.grad().device() == Device());
  CHECK(w.grad().to_vector() == Floats{2, 4});
  CHECK_THROWS_WITH_AS(w.set_grad(Tensor::zeros({2}, DType::f32, far)), doctest::Contains("the gradient on emulated:0"),
                       std::invalid_argument);
}

TEST_CASE("emulated: files hold its values, and give them to the host") {
  const test::TempFolder folder;
  const std::string path = folder / "values.safetensors";
  TensorFile written;
  written.tensors = {{"w", Tensor::from({2}, {1, 2}, emulated_device())}};
  save_tensors(path, written);
  const TensorFile file = load_tensors(path);
  CHECK(file.tensors[0].second.device() == Device());
  CHECK(file.tensors[0].second.to_vector() == Floats{1, 2});
}

TEST_CASE("emulated: work waits, and nothing comes back unasked") {
  const Tensor x = Tensor::from({3}, {1, 2, 3}, emulated_device());
  const auto before = emulated_counters();
  const Tensor y = scale(relu(x), 2.0f);
  CHECK(emulated_counters().waits == before.waits);
  synchronize(emulated_device());
  CHECK(emulated_counters().waits == before.waits + 1);
  CHECK(emulated_counters().copies_to_host == before.copies_to_host);
  CHECK(y.to_vector() == Floats{2, 4, 6});
  CHECK(emulated_counters().copies_to_host == before.copies_to_host + 1);
}

TEST_CASE("emulated: steps are tried where the values are") {
  const Tensor x = Tensor::from({4}, {-1.25f, 0.5f, 3, 7});
  const std::vector<double> steps = {0.5, 1, 2};
  CHECK(quantize_errors(x.to(emulated_device()), steps, {-4, 3}) == quantize_errors(x, steps, {-4, 3}));
}

TEST_CASE("emulated: what goes wrong is a DeviceError, and the device goes on") {
  const Device small = emulated_device(1);  // 64 KB
  CHECK_THROWS_WITH_AS(Tensor::empty({1 << 20}, DType::f32, small),
                       doctest::Contains("emulated:1: out of memory: 4194304 bytes asked for"), DeviceError);
  CHECK(Tensor::full({4}, 3, small).to_vector()[3] == 3);
  CHECK_THROWS_WITH_AS(relu(Tensor::zeros({2}, DType::bf16, small)),
                       doctest::Contains("relu: device emulated:1 has no BF16 kernel for it"), DeviceError);
  std::vector<Tensor> all;
  const auto take_all = [&] {
    while (all.size() < 1000) all.push_back(Tensor::zeros({1}, DType::f32, small));
  };
  CHECK_THROWS_AS(take_all(), DeviceError);
  const ConstView codes{all[0].view().data, DType::u8, 1};
  backend_for(small).conv2d({}, codes, all[1].view(), all[2].view());  // has no memory for them as float32
  CHECK_THROWS_WITH_AS(synchronize(small), doctest::Contains("emulated:1: out of memory"), DeviceError);
  synchronize(small);  // the error has been taken
  CHECK_THROWS_WITH_AS(Tensor::empty({1}, DType::f32, emulated_device(2)),
                       doctest::Contains("there are 2 emulated devices"), DeviceError);
}

TEST_CASE("emulated: pinned memory of other sizes that nobody uses is given back before there is none") {
  const Device small = emulated_device(1);  // pins 64 KB
  const auto pinned = [&](int64_t kilobytes) { return Tensor::pinned({kilobytes << 8}, DType::f32, small); };
  static_cast<void>(pinned(20)), static_cast<void>(pinned(30));
  const Tensor most = pinned(60);
  CHECK(most.numel() == 60 << 8);
  CHECK_THROWS_WITH_AS(pinned(8), doctest::Contains("8192 bytes of pinned host memory asked for, 61696 held here"),
                       DeviceError);
}

TEST_CASE("emulated: codes that lie on a device are decoded there, and layers take them") {
  const Device far = emulated_device();
  const Tensor step = Tensor::from({2}, {0.5f, 0.25f});
  const Codes codes{cast_i8(Tensor::from({2, 3}, {-8, 0, 7, 1, 2, -3})), {.range = {-8, 7}, .step = step}};
  const Codes away{codes.values.to(far), {.range = {-8, 7}, .step = step.to(far)}};
  const Tensor values = decode(away);
  CHECK(values.device() == far);
  CHECK(values.to_vector() == Floats{-4, 0, 3.5f, 0.25f, 0.5f, -0.75f});
  const Tensor w = Tensor::from({1, 3}, {1, 2, 3});
  CHECK(linear(away, w.to(far)).to_vector() == linear(codes, w).to_vector());
}
