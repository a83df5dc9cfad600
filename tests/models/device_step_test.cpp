// Training steps on a device of its own: the numbers of the portable CPU, and nothing brought back to the host.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/ops/loss.h"
#include "engine/ops/pool.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "optim/sgd.h"
#include "quant/method.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/tested_devices.h"

using namespace ntq;

namespace {

/// A stem, one residual block with a strided projection, a classifier.
class SmallResNet : public Module {
 public:
  explicit SmallResNet(const QuantSpec& quant) {
    QuantSpec input = quant;
    input.is_weight = false;
    const auto conv = [&](const char* name, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
      return register_module(name, std::make_shared<Conv2d>(Conv2dOptions{.in_channels = in,
                                                                          .out_channels = out,
                                                                          .kernel = kernel,
                                                                          .stride = stride,
                                                                          .padding = kernel / 2,
                                                                          .weight_quant = quant,
                                                                          .input_quant = in == 3 ? QuantSpec{} : input,
                                                                          .name = name}));
    };
    const auto norm = [&](const char* name, int64_t channels) {
      return register_module(name, std::make_shared<BatchNorm2d>(BatchNormOptions{.channels = channels}));
    };
    stem_ = conv("stem", 3, 8, 3, 1), stem_norm_ = norm("stem_norm", 8);
    conv_ = conv("conv", 8, 12, 3, 2), conv_norm_ = norm("conv_norm", 12);
    side_ = conv("side", 8, 12, 1, 2), side_norm_ = norm("side_norm", 12);
    fc_ = register_module(
        "fc", std::make_shared<Linear>(LinearOptions{
                  .in_features = 12, .out_features = 5, .weight_quant = quant, .input_quant = input, .name = "fc"}));
  }

  Tensor forward(const Tensor& x) override {
    const Tensor y = stem_norm_->forward_relu(stem_->forward(x));
    const Tensor z = conv_norm_->forward_relu(conv_->forward(y), side_norm_->forward(side_->forward(y)));
    return fc_->forward(global_avg_pool(z));
  }

 private:
  std::shared_ptr<Conv2d> stem_, conv_, side_;
  std::shared_ptr<BatchNorm2d> stem_norm_, conv_norm_, side_norm_;
  std::shared_ptr<Linear> fc_;
};

struct Trained {
  std::vector<float> losses;
  NamedTensors state;
  uint64_t copies_to_host = 0;  ///< in all steps but the first
};

Trained train_on(Device device, const QuantSpec& quant) {
  SmallResNet model(quant);
  model.to(device);
  Sgd sgd(model.parameters(), {.momentum = 0.9f, .weight_decay = 1e-3f, .nesterov = true});
  const Tensor images = test::some_values({4, 6, 6, 3}).to(device);
  const std::vector<int32_t> classes = {0, 4, 2, 1};
  const Tensor labels = Tensor::from({4}, std::span<const int32_t>(classes), device);
  test::emulated_device();  // so that there are counters
  Trained out;
  std::vector<Tensor> losses;
  uint64_t before = 0;
  for (int step = 0; step < 4; ++step) {
    if (step == 1) before = test::emulated_counters().copies_to_host;
    sgd.zero_grad();
    const Tensor loss = softmax_cross_entropy(model.forward(images), labels, 0.1f);
    loss.backward();
    sgd.step(0.05f);
    losses.push_back(loss.detach());
  }
  out.copies_to_host = test::emulated_counters().copies_to_host - before;
  for (const Tensor& loss : losses) out.losses.push_back(loss.item());
  for (const auto& [name, tensor] : model.state_dict()) out.state.emplace_back(name, tensor.to(Device()));
  return out;
}

/// Largest difference of two tensors, as a share of the largest value.
double difference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector(), y = b.to_vector();
  double worst = 0, largest = 1e-3;
  for (size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(double{x[i]} - double{y[i]}));
    largest = std::max(largest, std::abs(double{x[i]}));
  }
  return worst / largest;
}

void check_same_training(const Trained& expected, const Trained& found) {
  for (size_t i = 0; i < expected.losses.size(); ++i) CHECK(found.losses[i] == doctest::Approx(expected.losses[i]));
  CHECK(expected.losses.back() < expected.losses.front());
  REQUIRE(found.state.size() == expected.state.size());
  for (size_t i = 0; i < found.state.size(); ++i) {
    const Tensor& tensor = expected.state[i].second;
    INFO(expected.state[i].first);
    if (tensor.dtype() == DType::f32) CHECK(difference(tensor, found.state[i].second) < 1e-4);
  }
}

}  // namespace

TEST_CASE("a training step on another device: same numbers, no copy to the host") {
  const Trained expected = train_on(Device("cpu:portable"), {});
  for (const Device device : test::tested_devices()) {
    CAPTURE(device.str());
    const Trained found = train_on(device, {});
    check_same_training(expected, found);
    CHECK(found.copies_to_host == 0);
  }
}

TEST_CASE("a quantized training step on another device: same numbers, no copy to the host") {
  for (const char* method : {"lsq", "ntq", "lcq", "lq-nets", "apot", "qil", "ewgs", "minmax", "lsq+", "pact", "dorefa",
                             "faq", "quant-noise"}) {
    CAPTURE(std::string(method));
    const QuantSpec quant{.method = method, .bits = 4};
    const Trained expected = train_on(Device("cpu:portable"), quant);
    for (const Device device : test::tested_devices()) {
      CAPTURE(device.str());
      const Trained found = train_on(device, quant);
      check_same_training(expected, found);
      CHECK(found.copies_to_host == 0);
    }
  }
}

TEST_CASE("weights that oscillate are frozen on another device as on the CPU, with no copy to the host") {
  const auto look = [](Quantizer& q, Device device, float a, float b) {
    q.step().fill(1);
    const Tensor y = q.forward(Tensor::from({2, 1}, {a, b}, device));
    count_optimizer_step(q);
    return y;
  };
  for (const Device device : test::tested_devices()) {
    CAPTURE(device.str());
    const auto q = make_quantizer(
        {.method = "lsq",
         .bits = 4,
         .shape = {2, 1},
         .name = "conv1.weight_quant",
         .settings = {{"freeze", 0.01}, {"freeze_from", 0.02}, {"osc_momentum", 0.6}, {"osc_start", 0}}});
    q->to(device);
    set_progress(*q, 0.5);
    look(*q, device, 2, 2);
    const uint64_t before = test::emulated_counters().copies_to_host;
    look(*q, device, 3, 2);
    look(*q, device, 2, 3);  // the first has turned
    const Tensor y = look(*q, device, 5, 5);
    CHECK(test::emulated_counters().copies_to_host == before);
    CHECK(y.to(Device()).to_vector() == std::vector<float>{2, 5});
  }
}
