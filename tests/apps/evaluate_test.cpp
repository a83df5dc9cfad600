#include "apps/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "apps/divergence.h"
#include "apps/layer_report.h"
#include "engine/ops/loss.h"
#include "engine/ops/pool.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "models/model.h"
#include "optim/sgd.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

Tensor labels(std::vector<int32_t> values) {
  return Tensor::from<int32_t>({static_cast<int64_t>(values.size())}, std::span<const int32_t>(values));
}

/// Two convolutions and a classifier, each with its name.
struct Small : Module {
  std::shared_ptr<Conv2d> first, second;
  std::shared_ptr<Linear> fc;
  explicit Small(int bits) {
    Conv2dOptions conv;
    conv.in_channels = conv.out_channels = 2;
    conv.padding = 1;
    conv.weight_quant.bits = conv.input_quant.bits = bits;
    conv.name = "first";
    first = register_module("first", std::make_shared<Conv2d>(conv));
    conv.name = "second";
    second = register_module("second", std::make_shared<Conv2d>(conv));
    LinearOptions linear;
    linear.in_features = 2;
    linear.out_features = 3;
    linear.name = "fc";
    fc = register_module("fc", std::make_shared<Linear>(linear));
  }
  Tensor forward(const Tensor& x) override { return fc->forward(global_avg_pool(second->forward(first->forward(x)))); }
};

void set_all(Module& model, const std::string& name, float value) {
  for (auto& [found, tensor] : model.named_parameters()) {
    if (found == name) Tensor(tensor).fill(value);
  }
}

}  // namespace

TEST_CASE("the first layer that is not finite is named") {
  Small model(32);
  const Tensor x = Tensor::full({1, 4, 4, 2}, 1.0f);
  const auto search = [&] { return first_not_finite(model, softmax_cross_entropy(model(x), labels({1}))); };
  set_all(model, "second.weight", 1e38f);
  set_all(model, "first.weight", 1e3f);
  CHECK(search() == "output of second");
  set_all(model, "first.weight", std::numeric_limits<float>::infinity());
  CHECK(search() == "parameter first.weight");
  CHECK(first_not_finite(model, {}) == "parameter first.weight");
}

TEST_CASE("the layer is named through its quantizers too") {
  Small model(4);
  const Tensor x = Tensor::full({1, 4, 4, 2}, 1.0f);
  model(x);  // sets the steps
  set_all(model, "second.weight_quant.step", 3e37f);
  set_all(model, "second.weight", 3e38f);
  const Tensor loss = softmax_cross_entropy(model(Tensor::full({1, 4, 4, 2}, 1e5f)), labels({1}));
  CHECK(first_not_finite(model, loss) == "output of second");
  CHECK(first_not_finite(model, {}).empty());
}

TEST_CASE("a weight that an update sends to infinity is named, behind a quantizer and floors too") {
  for (const int bits : {4, 32}) {
    Small model(bits);
    const Tensor x = Tensor::full({1, 4, 4, 2}, 1.0f);
    Sgd sgd(model.parameters(), {.momentum = 0, .weight_decay = 0});
    softmax_cross_entropy(model(x), labels({1})).backward();
    for (auto& [name, tensor] : model.named_parameters()) {
      if (name == "second.weight") tensor.grad().fill(3e38f);
    }
    sgd.step(1e3f);
    const Tensor loss = softmax_cross_entropy(model(x), labels({1}));
    CHECK_FALSE(std::isfinite(loss.item()));
    CHECK(first_not_finite(model, loss) == "parameter second.weight");
  }
}

TEST_CASE("the layer report measures and changes nothing") {
  Small model(2);
  CHECK(report_layers(model)[0].weight_step == 0);
  model(Tensor::full({1, 4, 4, 2}, 1.0f));
  set_all(model, "first.weight", 0.3f);
  set_all(model, "first.weight_quant.step", 1.0f);
  const auto calls = [&] { return model.named_buffers()[0].second.data<int64_t>()[0]; };
  const int64_t before = calls();
  const auto layers = report_layers(model);
  CHECK(calls() == before);
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].name == "first");
  CHECK(layers[0].weight_bits == 2);
  CHECK(layers[0].weight_step == 1.0);
  CHECK(layers[0].weight_error == doctest::Approx(0.3));
  CHECK(layers[0].weight_max == doctest::Approx(0.3));
  CHECK(layers[2].weight_bits == 32);
  const QuantMeans means = quant_means({layers[0], layers[2]});
  CHECK(means.step == 1.0);
  CHECK(means.error == doctest::Approx(0.3));
  CHECK(bits_summary(layers) == "2 between: weights 2, inputs 2 bits (ntq); fc: full precision");
}

TEST_CASE("evaluation covers every image, with and without a last small batch, and keeps the mode") {
  const auto data = open_dataset("synthetic", {}, 10, 21);
  ModelOptions options;
  const auto model = make_model("resnet20", options);
  double first_loss = 0;
  for (const int64_t batch : {7, 8}) {
    DataLoader loader(data.val, {.batch_size = batch, .shuffle = false, .augment = false, .drop_last = false});
    const Scores scores = evaluate(*model, loader);
    CHECK(scores.images == 21);
    CHECK(scores.top5 >= scores.top1);
    CHECK(model->training());
    if (first_loss == 0) first_loss = scores.loss();
    CHECK(scores.loss() == doctest::Approx(first_loss).epsilon(1e-5));
  }
}
