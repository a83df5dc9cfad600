// Ten training steps of a tiny W4A4 LSQ network against PyTorch, as scripts/golden/make_lsq_reference.py recorded them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/ops/loss.h"
#include "engine/ops/pool.h"
#include "engine/ops/unary.h"
#include "engine/serialize.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "optim/sgd.h"

using namespace ntq;

namespace {

constexpr int64_t kSteps = 10;
// Of the largest magnitude in a tensor. Sums in another order move values by 1e-6; the gradient of a step, a long sum
// that nearly cancels, by 1e-5. A decay of 0.9e-4 instead of 1e-4 already shows.
constexpr float kTolerance = 1e-5f, kStepGradTolerance = 1e-4f;

QuantSpec lsq(bool is_signed) { return {.method = "lsq", .bits = 4, .is_signed = is_signed}; }

class TinyNet : public Module {
 public:
  Tensor forward(const Tensor& images) override {
    Tensor x = relu(bn1_->forward(conv1_->forward(images)));                          // {4,8,8,8}
    x = bn2_->forward_relu(conv2_->forward(x));                                       // {4,4,4,16}
    return fc_->forward(global_avg_pool(bn3_->forward_relu(conv3_->forward(x), x)));  // {4,5}
  }

 private:
  std::shared_ptr<Conv2d> conv(const std::string& name, int64_t in, int64_t out, int64_t stride) {
    return register_module(name, std::make_shared<Conv2d>(Conv2dOptions{.in_channels = in,
                                                                        .out_channels = out,
                                                                        .kernel = 3,
                                                                        .stride = stride,
                                                                        .padding = 1,
                                                                        .weight_quant = lsq(true),
                                                                        .input_quant = lsq(name == "conv1"),
                                                                        .name = name}));
  }
  std::shared_ptr<BatchNorm2d> norm(const std::string& name, int64_t channels) {
    return register_module(name, std::make_shared<BatchNorm2d>(BatchNormOptions{.channels = channels}));
  }

  std::shared_ptr<Conv2d> conv1_ = conv("conv1", 3, 8, 1);
  std::shared_ptr<BatchNorm2d> bn1_ = norm("bn1", 8);
  std::shared_ptr<Conv2d> conv2_ = conv("conv2", 8, 16, 2);
  std::shared_ptr<BatchNorm2d> bn2_ = norm("bn2", 16);
  std::shared_ptr<Conv2d> conv3_ = conv("conv3", 16, 16, 1);
  std::shared_ptr<BatchNorm2d> bn3_ = norm("bn3", 16);
  std::shared_ptr<Linear> fc_ = register_module(
      "fc",
      std::make_shared<Linear>(LinearOptions{
          .in_features = 16, .out_features = 5, .weight_quant = lsq(true), .input_quant = lsq(false), .name = "fc"}));
};

void check_agrees(const std::string& what, const Tensor& found, const Tensor& expected, float tolerance = kTolerance) {
  CAPTURE(what);
  REQUIRE(found.defined());
  REQUIRE_EQ(found.numel(), expected.numel());
  float largest = 0, difference = 0;
  for (int64_t i = 0; i < expected.numel(); ++i) {
    REQUIRE(std::isfinite(found.f32()[i]));
    largest = std::max(largest, std::abs(expected.f32()[i]));
    difference = std::max(difference, std::abs(found.f32()[i] - expected.f32()[i]));
  }
  CHECK_LE(difference, tolerance * largest);
}

bool is_step(const std::string& name) { return name.ends_with(".step"); }

/// Every parameter's gradient against "<prefix>/<name>".
void check_gradients(const TinyNet& net, const TensorFile& golden, const std::string& prefix) {
  for (const auto& [name, value] : net.named_parameters())
    check_agrees(prefix + "/" + name, value.grad(), golden.at(prefix + "/" + name),
                 is_step(name) ? kStepGradTolerance : kTolerance);
}

}  // namespace

TEST_CASE("ten steps of a W4A4 LSQ network agree with PyTorch") {
  const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/lsq_w4a4.safetensors");
  TinyNet net;
  // The steps keep their 0: the first forward takes them from the weights and the first batch.
  for (const auto& [name, value] : net.named_parameters())
    if (!is_step(name)) Tensor(value).copy_from(golden.at("init/" + name));
  Sgd sgd(net.parameters(), {.momentum = 0.9f, .weight_decay = 1e-4f});

  for (int64_t t = 0; t < kSteps; ++t) {
    CAPTURE(t);
    const Tensor images = golden.at("images").rows(t, t + 1).view({4, 8, 8, 3});
    const Tensor labels = golden.at("labels").rows(t, t + 1).view({4});
    sgd.zero_grad();
    const Tensor loss = softmax_cross_entropy(net(images), labels);
    loss.backward();
    check_agrees("loss", loss, golden.at("losses").rows(t, t + 1));
    if (t == 0) check_gradients(net, golden, "grad1");
    if (t == kSteps - 1) check_gradients(net, golden, "grad10");
    sgd.step(0.05f);
    for (const auto& [name, value] : net.named_parameters())
      if (is_step(name)) check_agrees(name, value, golden.at("steps/" + name).rows(t, t + 1));
  }
  for (const auto& [name, value] : net.state_dict())
    if (value.dtype() == DType::f32) check_agrees(name, value, golden.at("final/" + name));
}
