// A training step that has run before asks the system for no memory.
#include <doctest/doctest.h>

#include "engine/backend/cpu_settings.h"
#include "engine/ops/cast.h"
#include "engine/ops/loss.h"
#include "models/model.h"
#include "optim/sgd.h"
#include "tests/support/numeric_grad.h"

using namespace ntq;

TEST_CASE("a steady training step of a 4-bit ResNet-20 takes nothing from the system, in float32 and in bfloat16") {
  for (const DType type : {DType::f32, DType::bf16}) {
    CAPTURE(dtype_name(type));
    const int threads = cpu_threads();
    set_cpu_threads(1);  // how many threads want scratch memory at once is chance
    ModelOptions options;
    options.weight = {.method = "ntq", .bits = 4};
    options.activation = {.method = "ntq", .bits = 4, .is_weight = false};
    const auto model = make_model("resnet20", options);
    Sgd sgd(model->parameters(), {});
    const Tensor images = cast(test::some_values({4, 32, 32, 3}), type);
    const std::vector<int32_t> classes{0, 3, 5, 9};
    const Tensor labels = Tensor::from({4}, std::span<const int32_t>(classes));
    const auto step = [&] {
      sgd.zero_grad();
      softmax_cross_entropy(cast(model->forward(images), DType::f32), labels).backward();
      sgd.step(0.01f);
    };
    for (int i = 0; i < 3; ++i) step();
    const MemoryUse warm = cpu_memory();
    for (int i = 0; i < 3; ++i) step();
    CHECK(cpu_memory().system_allocations == warm.system_allocations);
    CHECK(cpu_memory().in_use == warm.in_use);
    set_cpu_threads(threads);
  }
}
