// Names, layouts and types of other people's weight files.
#include "apps/weights.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/ops/cast.h"
#include "models/model.h"

using namespace ntq;
using namespace ntq::apps;

TEST_CASE("half, bfloat16 and float64 become float32") {
  const auto bits = [](DType type, std::initializer_list<uint16_t> values) {
    Tensor t = Tensor::empty({static_cast<int64_t>(values.size())}, type);
    std::copy(values.begin(), values.end(), static_cast<uint16_t*>(t.raw()));
    return cast_f32(t).to_vector();
  };
  // 1, -2, the largest and the smallest half, the smallest normal one, 0.1 rounded.
  CHECK(bits(DType::f16, {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x0400, 0x2E66}) ==
        std::vector<float>{1.0f, -2.0f, 65504.0f, 0x1p-24f, 0x1p-14f, 0.0999755859375f});
  CHECK(std::isinf(bits(DType::f16, {0xFC00})[0]));
  CHECK(std::isnan(bits(DType::f16, {0x7E00})[0]));
  CHECK(bits(DType::bf16, {0x3F80, 0xC049, 0x0080}) == std::vector<float>{1.0f, -3.140625f, 0x1p-126f});
  const double wide[] = {0.1, -3.0};
  CHECK(cast_f32(Tensor::from({2}, std::span<const double>(wide))).to_vector() == std::vector<float>{0.1f, -3.0f});
  CHECK_THROWS_AS(cast_f32({}), std::invalid_argument);
}

TEST_CASE("names as other code has them") {
  TensorFile file;
  for (const char* name : {"module.conv1.weight", "module.linear.weight", "linear.bias", "layer2.0.shortcut.0.weight",
                           "layer2.0.shortcut.1.running_mean", "layer1.0.shortcut.weight", "bn1.num_batches_tracked"})
    file.tensors.emplace_back(name, Tensor::zeros({2}));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : read_public_weights(file)) names.push_back(name);
  CHECK(names == std::vector<std::string>{"conv1.weight", "fc.bias", "fc.weight", "layer1.0.shortcut.weight",
                                          "layer2.0.downsample.0.weight", "layer2.0.downsample.1.running_mean"});
}

TEST_CASE("written and read again: the same weights, for every family") {
  for (const char* name : {"resnet20", "resnet20-b", "resnet50", "wrn16-4"}) {
    CAPTURE(name);
    const auto model = make_model(name, {.seed = 1}), other = make_model(name, {.seed = 2});
    TensorFile file;
    file.tensors = public_weights(*model, Export::weights);
    const LoadReport report = load_weights(*other, read_public_weights(file), {.path = "x", .model = name});
    CHECK(report.missing.empty());
    CHECK(report.left_over.empty());
    CHECK(report.matched == static_cast<int64_t>(model->state_dict().size()));
    const auto a = model->state_dict(), b = other->state_dict();
    for (size_t i = 0; i < a.size(); ++i) REQUIRE(a[i].second.to_vector() == b[i].second.to_vector());
  }
}
