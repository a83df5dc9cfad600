// Names, layouts and types of other people's weight files.
#include "train/weights.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/autograd.h"
#include "engine/ops/cast.h"
#include "models/model.h"
#include "tests/support/text.h"

using namespace ntq;
using ntq::test::contains;
using ntq::test::error_of;

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

namespace {

TensorFile named(std::initializer_list<const char*> names) {
  TensorFile file;
  for (const char* name : names) file.tensors.emplace_back(name, Tensor::zeros({2}));
  return file;
}

std::vector<std::string> our_names(const TensorFile& file) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : read_public_weights(file, "x").tensors) names.push_back(name);
  return names;
}

std::string refusal(const TensorFile& file) {
  return error_of<CheckpointError>([&] { read_public_weights(file, "x"); });
}

using Names = std::vector<std::string>;

/// A model's tensors under public names, as a file holds them.
TensorFile file_of(Module& model) { return {{}, public_weights(model, Export::weights)}; }

std::string load_error(const TensorFile& file) {
  const auto model = make_model("resnet20", {.seed = 2});
  const auto before = model->state_dict()[0].second.to_vector();
  const std::string error = error_of<CheckpointError>(
      [&] { load_weights(*model, read_public_weights(file, "x"), {.path = "x", .model = "resnet20"}); });
  if (!error.empty()) CHECK(model->state_dict()[0].second.to_vector() == before);
  return error;
}

}  // namespace

TEST_CASE("names as other code has them") {
  CHECK(our_names(named({"module.conv1.weight", "module.linear.weight", "module.linear.bias",
                         "module.layer2.0.shortcut.0.weight", "module.layer2.0.shortcut.1.running_mean",
                         "module.layer1.0.shortcut.weight", "module.bn1.num_batches_tracked"})) ==
        Names{"conv1.weight", "fc.bias", "fc.weight", "layer1.0.shortcut.weight", "layer2.0.downsample.0.weight",
              "layer2.0.downsample.1.running_mean"});
}

TEST_CASE("prefixes that all names share come off, in any order and number") {
  for (const std::string prefix : {"module.", "_orig_mod.", "model.", "state_dict.", "module._orig_mod.",
                                   "_orig_mod.module.", "module.module.", "state_dict.model.module._orig_mod."}) {
    CAPTURE(prefix);
    CHECK(our_names(named({(prefix + "conv1.weight").c_str(), (prefix + "linear.bias").c_str()})) ==
          Names{"conv1.weight", "fc.bias"});
  }
  CHECK(our_names(named({"net.conv1.weight"})) == Names{"net.conv1.weight"});
  CHECK(our_names(named({"model.", "model.a"})) == Names{"model.", "model.a"});  // no name is left of the first
}

TEST_CASE("a prefix that one name of the model lacks stays") {
  CHECK(our_names(named({"module.conv1.weight", "fc.weight"})) == Names{"fc.weight", "module.conv1.weight"});
  CHECK(our_names(named({"module.model.conv1.weight", "module.fc.weight"})) ==
        Names{"fc.weight", "model.conv1.weight"});
}

TEST_CASE("what training code saves beside a model is not asked for its prefix") {
  CHECK(our_names(named(
            {"model.conv1.weight", "model.fc.bias", "optimizer.state.0.exp_avg", "model_ema.conv1.weight", "epoch"})) ==
        Names{"conv1.weight", "epoch", "fc.bias", "model_ema.conv1.weight", "optimizer.state.0.exp_avg"});
  CHECK(our_names(named({"optimizer.a"})) == Names{"optimizer.a"});
}

TEST_CASE("two tensors for one name are an error that names both") {
  const auto refused = [](const TensorFile& file, const char* first, const char* second) {
    CAPTURE(first);
    CHECK(contains(refusal(file), concat("\"", first, "\" and \"", second, "\"")));
  };
  refused(named({"conv1.weight", "module.conv1.weight"}), "conv1.weight", "module.conv1.weight");
  refused(named({"state_dict.conv1.weight", "a", "model.conv1.weight"}), "state_dict.conv1.weight",
          "model.conv1.weight");
  refused(named({"fc.weight", "linear.weight"}), "fc.weight", "linear.weight");
  refused(named({"layer2.0.shortcut.0.weight", "layer2.0.downsample.0.weight"}), "layer2.0.shortcut.0.weight",
          "layer2.0.downsample.0.weight");
  TensorFile flags = named({"fc.weight"});
  flags.skipped.push_back({"module.fc.weight", "BOOL", {2}});
  refused(flags, "fc.weight", "module.fc.weight");
  CHECK(refusal(named({"a.num_batches_tracked", "module.a.num_batches_tracked", "b"})).empty());
}

TEST_CASE("a type that no weight has: left over if nobody needs it, an error if somebody does") {
  const auto model = make_model("resnet20", {.seed = 1});
  TensorFile file = file_of(*model);
  file.skipped.push_back({"mask", "BOOL", {4}});
  file.tensors.emplace_back("position_ids", Tensor::zeros({3}, DType::i64));
  const auto other = make_model("resnet20", {.seed = 2});
  const LoadReport report = load_weights(*other, read_public_weights(file, "x"), {.path = "x", .model = "resnet20"});
  CHECK(report.left_over == Names{"mask", "position_ids"});
  CHECK(report.missing.empty());

  for (auto& [name, tensor] : file.tensors) {
    if (name == "fc.bias") tensor = Tensor::zeros({10}, DType::i8);
  }
  CHECK(contains(load_error(file), "tensor \"fc.bias\": expected {10} F32 of resnet20, found {10} I8"));
  file = file_of(*model);
  file.tensors.pop_back();
  file.skipped.push_back({"module.fc.bias", "F8_E4M3", {10}});
  CHECK_FALSE(contains(load_error(file), "F8_E4M3"));  // another name: the file's prefix is not shared
  file.skipped[0].name = file_of(*model).tensors.back().first;
  CHECK(contains(load_error(file), "F8_E4M3"));
}

TEST_CASE("weights that are not numbers are the file's fault") {
  const auto model = make_model("resnet20", {.seed = 1});
  TensorFile file = file_of(*model);
  file.tensors[1].second.f32()[0] = INFINITY;
  CHECK(contains(load_error(file), "found inf at element 0; the file is damaged"));
}

TEST_CASE("written and read again: the same weights, for every family") {
  for (const char* name : {"resnet20", "resnet20-b", "resnet50", "wrn16-4"}) {
    CAPTURE(name);
    const auto model = make_model(name, {.seed = 1}), other = make_model(name, {.seed = 2});
    TensorFile file;
    file.tensors = public_weights(*model, Export::weights);
    const LoadReport report = load_weights(*other, read_public_weights(file, "x"), {.path = "x", .model = name});
    CHECK(report.missing.empty());
    CHECK(report.left_over.empty());
    CHECK(report.matched == static_cast<int64_t>(model->state_dict().size()));
    const auto a = model->state_dict(), b = other->state_dict();
    for (size_t i = 0; i < a.size(); ++i) REQUIRE(a[i].second.to_vector() == b[i].second.to_vector());
  }
}

TEST_CASE("codes without a sign are exported as uint8, filters in PyTorch's order") {
  const auto model = make_model("resnet20", {.classes = 10, .weight = {.method = "dorefa", .bits = 4}});
  const NoGrad no_grad;
  const auto of = [&](Export what) {
    for (const auto& [name, tensor] : public_weights(*model, what)) {
      if (name == "conv1.weight") return tensor;
    }
    return Tensor();
  };
  const Tensor codes = of(Export::codes), values = of(Export::quantized);
  REQUIRE(codes.dtype() == DType::u8);
  REQUIRE(codes.shape() == values.shape());
  for (int64_t i = 0; i < codes.numel(); ++i) {
    CHECK(static_cast<float>(codes.data<uint8_t>()[i]) * (2.0f / 15) - 1 == doctest::Approx(values.f32()[i]));
  }
}

TEST_CASE("int8 codes are refused with what to do: converted to floats they would be other weights") {
  TensorFile file = named({"fc.bias"});
  file.metadata["ntq.exported"] = "int8";
  CHECK(contains(refusal(file), "times their steps"));
}
