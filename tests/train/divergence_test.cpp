#include "train/divergence.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/loss.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "optim/sgd.h"
#include "tests/train/small.h"

using namespace ntq;
using ntq::test::Small;
using ntq::test::state_of;

namespace {

Tensor label() {
  const int32_t one[] = {1};
  return Tensor::from({1}, std::span<const int32_t>(one));
}

std::string search(Module& model, const Tensor& x) {
  return first_not_finite(model, x, [&] { return softmax_cross_entropy(model.forward(x), label()); });
}

const Tensor kOnes = Tensor::full({1, 4, 4, 2}, 1.0f);

/// A fork's own: a parameter of the root's, a block with one of its own, and a loss of plain ops.
struct Fork : Module {
  struct Block : Module {
    Tensor scale = register_parameter("scale", Tensor::full({1}, 1.0f));
    Tensor forward(const Tensor& x) override { return exp(mul(x, scale)); }
  };
  Tensor shift = register_parameter("shift", Tensor::full({1}, 1.0f));
  std::shared_ptr<Block> block = register_module("block", std::make_shared<Block>());
  Tensor forward(const Tensor& x) override { return block->forward(add(x, shift)); }
};

}  // namespace

TEST_CASE("the first layer that is not finite is named, and its op") {
  Small model(32);
  state_of(model, "second.weight").fill(1e38f);
  state_of(model, "first.weight").fill(1e3f);
  CHECK(search(model, kOnes) == "output of second (conv2d)");
  CHECK(first_not_finite(model).empty());
  state_of(model, "first.weight").fill(std::numeric_limits<float>::infinity());
  CHECK(search(model, kOnes) == "parameter first.weight");
  CHECK(first_not_finite(model) == "parameter first.weight");
}

TEST_CASE("the layer is named through its quantizers too; a search changes nothing") {
  Small model(4);
  model(kOnes);  // sets the steps
  state_of(model, "second.weight_quant.step").fill(3e37f);
  state_of(model, "second.weight").fill(3e38f);
  std::vector<std::vector<int64_t>> calls;
  const auto counters = [&] {
    std::vector<int64_t> out;
    for (const auto& [name, tensor] : model.named_buffers()) {
      if (tensor.dtype() == DType::i64) out.push_back(*tensor.data<int64_t>());
    }
    return out;
  };
  const auto before = counters();
  CHECK(search(model, Tensor::full({1, 4, 4, 2}, 1e5f)) == "output of second (conv2d)");
  CHECK(counters() == before);
  CHECK(search(model, kOnes).empty() == false);
  CHECK(first_not_finite(model).empty());
}

TEST_CASE("a fork's own modules are named as they are") {
  Fork fork;
  const Tensor x = Tensor::full({2}, 1.0f);
  const auto find = [&] { return first_not_finite(fork, x, [&] { return mean(log(neg(fork.forward(x)))); }); };
  fork.shift.fill(3e38f);
  fork.block->scale.fill(10.0f);
  CHECK(find() == "output of block (mul)");
  fork.shift.fill(100.0f);
  CHECK(find() == "output of block (exp)");
  const Tensor large = Tensor::full({2}, 3e38f);
  fork.shift.fill(3e38f);
  CHECK(first_not_finite(fork, large, [&] { return fork.forward(large); }) == "output of shift (add)");
  fork.shift.fill(0.0f);
  fork.block->scale.fill(1.0f);
  CHECK(find() == "output of block (log)");  // the loss's own op, behind the block
  CHECK(first_not_finite(fork, x, [&] { return mean(fork.forward(x)); }).empty());
}

TEST_CASE("a weight that an update sends to infinity is named, behind a quantizer and floors too") {
  for (const int bits : {4, 32}) {
    Small model(bits);
    Sgd sgd(model.parameters(), {.momentum = 0, .weight_decay = 0});
    softmax_cross_entropy(model(kOnes), label()).backward();
    for (auto& [name, tensor] : model.named_parameters()) {
      if (name == "second.weight") tensor.grad().fill(3e38f);
    }
    sgd.step(1e3f);
    CHECK_FALSE(std::isfinite(softmax_cross_entropy(model(kOnes), label()).item()));
    CHECK(search(model, kOnes) == "parameter second.weight");
  }
}

TEST_CASE("a step that no grid has is named; one that is not set yet is no fault") {
  Small model(4);
  CHECK(first_not_finite(model).empty());
  model(kOnes);
  state_of(model, "second.weight_quant.step").fill(-0.5f);
  CHECK(first_not_finite(model) == "parameter second.weight_quant.step, -0.5 below its floor");
  CHECK(search(model, kOnes) == "parameter second.weight_quant.step, -0.5 below its floor");
  state_of(model, "second.weight_quant.step").fill(std::nanf(""));
  CHECK_FALSE(std::isfinite(softmax_cross_entropy(model(kOnes), label()).item()));
  CHECK(search(model, kOnes) == "parameter second.weight_quant.step");
}
