// What a ResNet's graph keeps in training: bytes where a quantizer reads what a norm gives, with the bits of the
// floats.
#include <doctest/doctest.h>

#include <map>

#include "engine/backend/cpu_settings.h"
#include "engine/backend/profiled.h"
#include "engine/ops/cast.h"
#include "engine/ops/loss.h"
#include "models/model.h"
#include "quant/step_quantizer.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::same_values;

namespace {

std::shared_ptr<Module> model_of(const std::string& name, int bits, const std::string& input_method = "ntq",
                                 int weight_bits = 32) {
  ModelOptions options;
  options.weight = {.method = "ntq", .bits = weight_bits};
  options.activation = {.method = input_method, .bits = bits, .is_weight = false};
  return make_model(name, options);
}

/// LSQ that has not said that its values are plain: layers keep floats.
void register_floats() {
  register_quantizer({.name = "lsq_in_floats",
                      .help = "",
                      .settings = step_settings(),
                      .scope = {},
                      .make = [](const QuantSpec& spec) { return std::make_shared<StepQuantizer>(spec); }});
}

/// Bytes that the graph of a forward pass holds, on top of the model and what comes out.
int64_t kept_by(Module& model, const Tensor& images) {
  const size_t before = cpu_memory().in_use;
  const Tensor logits = model.forward(images);
  return static_cast<int64_t>(cpu_memory().in_use - before);
}

}  // namespace

TEST_CASE("a 4-bit ResNet in training keeps bytes in place of floats, and gives their bits") {
  const Tensor images = test::some_values({8, 32, 32, 3});
  for (const std::string name : {"resnet20", "resnet50", "wrn16-4"}) {
    CAPTURE(name);
    const bool large = name == "resnet50";
    const Tensor x = large ? test::some_values({16, 8, 8, 3}) : images;
    const auto model = model_of(name, 4), full = model_of(name, 32);
    const int64_t in_full = kept_by(*full, x);
    // Five bytes for eight within a block, nine where it ends, as the shortcut goes on in floats.
    CHECK(kept_by(*model, x) < in_full * (large ? 98 : 90) / 100);  // sets the steps, too
    CHECK(kept_by(*model, x) < in_full * (large ? 98 : 90) / 100);
    const Tensor logits = model->forward(x);
    {
      const NoGrad floats;
      CHECK(same_values(logits.detach(), model->forward(x)));
    }
    CHECK(logits.requires_grad());
  }
}

TEST_CASE("a graph keeps noisy filters once, so that noise is drawn once: as floats, or packed in bfloat16") {
  const Tensor images = test::some_values({2, 4, 4, 3});
  for (const DType type : {DType::f32, DType::bf16}) {
    CAPTURE(dtype_name(type));
    const auto model = model_of("resnet20", 4, "ntq", 4), floats = model_of("resnet20", 4);
    const int64_t filters = static_cast<int64_t>(dtype_size(type)) * model->parameter_count();
    const int64_t more = kept_by(*model, cast(images, type)) - kept_by(*floats, cast(images, type));
    CHECK(more < filters * 3 / 2);  // panels, and transformed ones of Winograd, are larger
  }
}

TEST_CASE("gradients of a ResNet that keeps codes are those of one that keeps floats") {
  const std::vector<int32_t> classes{0, 3, 5, 9};
  const Tensor labels = Tensor::from({4}, std::span<const int32_t>(classes));
  register_floats();
  for (const std::string name : {"resnet20", "wrn16-4"}) {
    const Tensor images = test::some_values(name == "resnet20" ? Shape{4, 32, 32, 3} : Shape{4, 8, 8, 3});
    std::vector<NamedTensors> gradients;
    for (const char* method : {"lsq", "lsq_in_floats"}) {
      const auto model = model_of(name, 4, method);
      for (int i = 0; i < 2; ++i) {
        for (Parameter& p : model->parameters()) p.value.zero_grad();
        softmax_cross_entropy(model->forward(images), labels).backward();
      }
      NamedTensors& found = gradients.emplace_back(model->state_dict());  // statistics and first steps
      for (const Parameter& p : model->parameters()) found.emplace_back(p.name, p.value.grad());
    }
    for (size_t i = 0; i < gradients[0].size(); ++i) {
      CAPTURE(gradients[0][i].first);
      if (gradients[0][i].second.dtype() != DType::f32) continue;
      CHECK(same_values(gradients[0][i].second, gradients[1][i].second));
    }
  }
}

TEST_CASE(
    "where both sides are codes, the forward pass of a training step is one of integers; noisy weights are none") {
  const Tensor images = test::some_values({2, 32, 32, 3});
  const std::vector<int32_t> classes{0, 3};
  const Tensor labels = Tensor::from({2}, std::span<const int32_t>(classes));
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const std::string method : {"lsq", "ntq"}) {
      CAPTURE(method);
      ModelOptions options;
      options.weight = {.method = method, .bits = 4};
      options.activation = {.method = method, .bits = 4, .is_weight = false};
      const auto model = make_model("resnet20", options);
      const auto step = [&] {
        softmax_cross_entropy(cast(model->forward(cast(images, type)), DType::f32), labels).backward();
      };
      step();  // sets the steps
      std::map<std::string, int> calls;
      profile_primitives(Device(), [&](const PrimitiveCall& call) { ++calls[call.name]; });
      step();
      profile_primitives(Device(), {});
      CHECK(calls["conv2d_codes"] == (method == "lsq" ? 20 : 0));
      CHECK(calls["conv2d"] + calls["conv2d_codes"] == 20);
      CHECK(calls["conv2d_grad_input"] == 20);
      CHECK(calls["conv2d_grad_weight"] == 20);
    }
  }
}
