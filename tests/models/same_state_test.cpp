// Ten training steps of a ResNet-20 on a device, each from the CPU's state: what a device computes otherwise shows
// before a training turns it into another training.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/ops/loss.h"
#include "models/model.h"
#include "optim/sgd.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/tested_devices.h"

using namespace ntq;

namespace {

constexpr int kStepsBeside = 10;

/// Of one step, the device beside the CPU.
struct Parted {
  double loss = 0;      ///< as a share of the CPU's
  double gradient = 0;  ///< the worst tensor's median difference, as a share of its layer's largest gradient
  bool same() const { return loss < 1e-5 && gradient < 1e-5; }
};

/// "layer1.0.conv1" of "layer1.0.conv1.weight_quant.step".
std::string layer_of(const std::string& parameter) {
  size_t end = parameter.size();
  for (const char* own : {".weight", ".bias", ".input_quant"}) end = std::min(end, parameter.find(own));
  return parameter.substr(0, end);
}

/// What is not a number counts as the larger.
double larger(double a, double b) { return b > a || std::isnan(b) ? b : a; }

double median_difference(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<double> apart(a.size());
  for (size_t i = 0; i < a.size(); ++i) apart[i] = std::abs(double{a[i]} - double{b[i]});
  const auto middle = apart.begin() + static_cast<std::ptrdiff_t>(apart.size() / 2);
  std::nth_element(apart.begin(), middle, apart.end());
  return *middle;
}

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

double gradients_apart(const Module& expected, const Module& found) {
  const NamedTensors ours = expected.named_parameters(), theirs = found.named_parameters();
  std::map<std::string, double> largest, apart;
  for (size_t i = 0; i < ours.size(); ++i) {
    const std::vector<float> a = ours[i].second.grad().to_vector();
    const std::vector<float> b = theirs[i].second.grad().to(Device()).to_vector();
    const std::string layer = layer_of(ours[i].first);
    for (const float value : a) largest[layer] = larger(largest[layer], std::abs(double{value}));
    apart[layer] = larger(apart[layer], all_finite(b) ? median_difference(a, b) : std::nan(""));
  }
  double worst = 0;
  for (const auto& [layer, difference] : apart) worst = larger(worst, difference / largest[layer]);
  return worst;
}

double gradients_of(Module& model, const Tensor& images, const Tensor& labels) {
  for (const auto& [name, parameter] : model.named_parameters()) Tensor(parameter).zero_grad();
  const Tensor loss = softmax_cross_entropy(model.forward(images), labels);
  loss.backward();
  return loss.item();
}

std::vector<Parted> steps_on(Device device, const std::string& method) {
  ModelOptions options;
  if (!method.empty()) {
    options.weight = {.method = method, .bits = 4};
    options.activation = {.method = method, .bits = 4, .is_weight = false};
  }
  const auto cpu = make_model("resnet20", options), other = make_model("resnet20", options);
  const Quantizers quantizers(*cpu);
  Sgd sgd(cpu->parameters(), {.momentum = 0.9f});
  const std::vector<int32_t> classes = {0, 3, 5, 9};
  const Tensor labels = Tensor::from({4}, std::span<const int32_t>(classes));
  const auto batch = [](int step) { return test::some_values({4, 16, 16, 3}, static_cast<uint32_t>(step) + 1); };
  gradients_of(*cpu, batch(kStepsBeside), labels);  // sets the quantizers' first steps, by the CPU's values
  other->load_state_dict(cpu->state_dict());
  other->to(device);
  std::vector<Parted> steps;
  for (int step = 0; step < kStepsBeside; ++step) {
    other->load_state_dict(cpu->state_dict());
    const double loss = gradients_of(*cpu, batch(step), labels);
    const double found = gradients_of(*other, batch(step).to(device), labels.to(device));
    steps.push_back({std::abs(found - loss) / loss, gradients_apart(*cpu, *other)});
    sgd.step(0.05f);
    count_optimizer_step(quantizers);
  }
  return steps;
}

}  // namespace

TEST_CASE("ten training steps on another device, each from the CPU's state") {
  for (const Device device : test::tested_devices()) {
    for (const std::string method : {"", "lsq", "ntq"}) {
      CAPTURE(device.str());
      CAPTURE(method);
      const std::vector<Parted> steps = steps_on(device, method);
      const auto same = std::count_if(steps.begin(), steps.end(), [](const Parted& each) { return each.same(); });
      // A sum that is rounded otherwise may fall to the other side of a code's edge, and all behind it is another; or
      // of a ReLU's 0, once in ten steps, and behind it gradients are a little other.
      CHECK(same >= (method.empty() ? kStepsBeside - 1 : kStepsBeside / 2));
      for (const Parted& each : steps) {
        CHECK(each.loss < (method.empty() ? 1e-5 : 0.2));
        CHECK(each.gradient < (method.empty() ? 1e-2 : 0.5));
      }
    }
  }
}
