// Blocks whose activations are computed again for the gradient: the same bits for less memory.
#include <doctest/doctest.h>

#include "engine/backend/cpu_settings.h"
#include "engine/ops/cast.h"
#include "engine/ops/loss.h"
#include "models/model.h"
#include "optim/sgd.h"
#include "quant/tree.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using ntq::test::same_values;

namespace {

std::shared_ptr<Module> model_of(int bits, bool recompute, const char* method = "ntq", Settings settings = {}) {
  ModelOptions options;
  options.weight = {.method = method, .bits = bits, .settings = std::move(settings)};
  options.activation = {.method = method, .bits = bits, .is_weight = false};
  options.recompute_blocks = recompute;
  return make_model("resnet20", options);
}

/// The state after three steps, of activations of this type.
NamedTensors trained(Module& model, DType type) {
  const Tensor images = cast(test::some_values({4, 16, 16, 3}), type);
  const std::vector<int32_t> classes{0, 3, 5, 9};
  const Tensor labels = Tensor::from({4}, std::span<const int32_t>(classes));
  Sgd sgd(model.parameters(), {.momentum = 0.9f});
  const Quantizers quantizers(model);
  for (int step = 0; step < 3; ++step) {
    set_progress(quantizers, step / 3.0);
    sgd.zero_grad();
    Tensor loss = softmax_cross_entropy(cast(model.forward(images), DType::f32), labels);
    if (const Tensor penalty = quant_penalty(quantizers)) loss = add(loss, penalty);
    loss.backward();
    sgd.step(0.05f);
    count_optimizer_step(quantizers);
  }
  return model.state_dict();
}

}  // namespace

TEST_CASE("recomputed blocks leave the same parameters, statistics and oscillations, to the bit") {
  const Settings steadied{
      {"dampen", 0.1}, {"freeze", 0.01}, {"freeze_from", 0.02}, {"osc_momentum", 0.5}, {"osc_start", 0.0}};
  struct Case {
    int bits;
    const char* method;
    Settings settings;
  };
  const std::vector<Case> cases{{32, "ntq", {}},         {4, "ntq", steadied}, {4, "lsq", {}},
                                {4, "minmax", steadied}, {4, "ewgs", {}},      {4, "quant-noise", {{"update_step", 2}}},
                                {4, "lcq", {}},          {4, "lq-nets", {}},   {4, "qil", {}},
                                {4, "apot", {}},         {4, "pact", {}},      {4, "lsq+", {}},
                                {4, "faq", {}},          {4, "dorefa", {}}};
  for (const auto& [bits, method, settings] : cases) {
    const std::string text = method;
    CAPTURE(text);
    for (const DType type : {DType::f32, DType::bf16}) {
      CAPTURE(dtype_name(type));
      const NamedTensors kept = trained(*model_of(bits, false, method, settings), type),
                         again = trained(*model_of(bits, true, method, settings), type);
      REQUIRE(kept.size() == again.size());
      for (size_t i = 0; i < kept.size(); ++i) {
        if (kept[i].second.dtype() != DType::f32) continue;
        const std::string& name = kept[i].first;
        CAPTURE(name);
        CHECK(same_values(kept[i].second, again[i].second));
      }
    }
  }
}

TEST_CASE("recomputed blocks keep their inputs alone") {
  const Tensor images = test::some_values({8, 32, 32, 3});
  const auto kept_by = [&](bool recompute) {
    const auto model = model_of(32, recompute);
    const size_t before = cpu_memory().in_use;
    const Tensor logits = model->forward(images);
    return cpu_memory().in_use - before;
  };
  CHECK(kept_by(true) * 2 < kept_by(false));
}
