#include "models/model.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/loss.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "models/blocks.h"
#include "models/layer_maker.h"
#include "tests/support/module.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using doctest::Contains;
using ntq::test::names_of;
using ntq::test::same_values;

namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct Bits {
  int weight = 32, input = 32;
  bool input_signed = false;
  bool operator==(const Bits&) const = default;
};

// Bits of every conv and linear layer, by dotted name.
std::map<std::string, Bits> bits_of(Module& model) {
  std::map<std::string, Bits> all;
  const auto read = [](const auto& layer) {
    Bits bits;
    if (const auto& q = layer.weight_quantizer()) bits.weight = q->spec().bits;
    if (const auto& q = layer.input_quantizer()) bits.input = q->spec().bits, bits.input_signed = q->spec().is_signed;
    return bits;
  };
  model.visit([&](const std::string& name, Module& module) {
    if (const auto* layer = dynamic_cast<WeightedLayer*>(&module)) all[name] = read(*layer);
  });
  return all;
}

ModelOptions quantized(int weight, int activation) {
  ModelOptions options;
  options.weight.bits = weight;
  options.activation.bits = activation;
  return options;
}

}  // namespace

TEST_CASE("parameter counts") {
  const auto count = [](const char* name, int64_t classes, Stem stem = Stem::cifar) {
    return make_model(name, {.classes = classes, .stem = stem})->parameter_count();
  };
  CHECK(count("resnet20", 10) == 269722);
  CHECK(count("resnet20-b", 10) == 272474);
  CHECK(count("resnet32", 10) == 464154);
  CHECK(count("resnet44", 10) == 658586);
  CHECK(count("resnet56", 10) == 853018);
  CHECK(count("resnet110", 10) == 1727962);
  CHECK(count("resnet18", 100) == 11220132);
  CHECK(count("resnet18", 1000, Stem::imagenet) == 11689512);
  CHECK(count("resnet34", 1000, Stem::imagenet) == 21797672);
  CHECK(count("resnet50", 1000, Stem::imagenet) == 25557032);
  CHECK(count("resnet101", 1000, Stem::imagenet) == 44549160);
  CHECK(count("resnet152", 1000, Stem::imagenet) == 60192808);
  CHECK(count("wide_resnet50_2", 1000, Stem::imagenet) == 68883240);
  CHECK(count("wrn16-4", 10) == 2748890);
  CHECK(count("wrn28-10", 10) == 36479194);
}

TEST_CASE("names of tensors") {
  const auto cifar = names_of(make_model("resnet20", {})->named_parameters());
  CHECK(std::vector<std::string>(cifar.begin(), cifar.begin() + 5) ==
        std::vector<std::string>{"conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv1.weight",
                                 "layer1.0.bn1.weight"});
  CHECK(has(cifar, "layer3.2.bn2.bias"));
  CHECK(cifar.back() == "fc.bias");
  CHECK(std::none_of(cifar.begin(), cifar.end(), [](const auto& n) { return n.find("downsample") != n.npos; }));

  const auto option_b = names_of(make_model("resnet20-b", {})->named_parameters());
  CHECK(has(option_b, "layer2.0.downsample.0.weight"));
  CHECK(has(option_b, "layer2.0.downsample.1.bias"));
  CHECK_FALSE(has(option_b, "layer1.0.downsample.0.weight"));

  const auto resnet = names_of(make_model("resnet34", {})->named_parameters());
  for (const char* name : {"layer2.0.downsample.0.weight", "layer4.2.conv2.weight", "layer3.5.bn1.weight"})
    CHECK(has(resnet, name));
  const auto deep = names_of(make_model("resnet50", {})->named_parameters());
  for (const char* name : {"layer1.0.downsample.0.weight", "layer3.5.conv3.weight", "layer4.2.bn3.bias"})
    CHECK(has(deep, name));
  CHECK_FALSE(has(deep, "layer1.1.downsample.0.weight"));
  const auto wide = names_of(make_model("wrn16-4", {})->named_parameters());
  for (const char* name : {"layer1.0.shortcut.weight", "layer3.1.bn1.weight", "bn1.bias", "fc.weight"})
    CHECK(has(wide, name));

  const auto quant = names_of(make_model("resnet20", quantized(4, 4))->named_parameters());
  for (const char* name : {"layer1.0.conv1.weight_quant.step", "layer1.0.conv1.input_quant.step",
                           "conv1.weight_quant.step", "fc.input_quant.step"})
    CHECK(has(quant, name));
}

TEST_CASE("shapes: logits per image, for other sizes and channels too") {
  const NoGrad no_grad;
  for (const char* name : {"resnet20", "resnet20-b", "wrn16-4", "resnet18", "resnet50"}) {
    CAPTURE(name);
    const auto model = make_model(name, {.classes = 7, .in_channels = 1});
    CHECK(model->forward(test::some_values({2, 12, 9, 1})).shape() == Shape{2, 7});
  }
  const auto imagenet = make_model("resnet18", {.classes = 5, .stem = Stem::imagenet});
  CHECK(imagenet->forward(test::some_values({1, 64, 64, 3})).shape() == Shape{1, 5});
  CHECK_THROWS_WITH_AS(imagenet->forward(Tensor::zeros({1, 64, 64, 1})), Contains("conv1: input must be {N,H,W,3}"),
                       std::invalid_argument);
}

TEST_CASE("every family trains: all parameters get finite gradients, full precision and quantized") {
  const Tensor x = test::some_values({2, 8, 8, 3});
  const int32_t labels[] = {1, 3};
  for (const char* name : {"resnet20", "resnet20-b", "resnet18", "resnet50", "wrn16-4"}) {
    for (const int bits : {32, 2}) {
      CAPTURE(name);
      CAPTURE(bits);
      const auto model = make_model(name, quantized(bits, bits));
      softmax_cross_entropy(model->forward(x), Tensor::from({2}, std::span<const int32_t>(labels))).backward();
      int64_t missing = 0, not_finite = 0;
      for (const auto& [key, parameter] : model->named_parameters()) {
        if (!parameter.grad().defined()) {
          ++missing;
          continue;
        }
        for (const float g : parameter.grad().to_vector()) not_finite += !std::isfinite(g);
      }
      CHECK(missing == 0);
      CHECK(not_finite == 0);
    }
  }
}

TEST_CASE("bits: all layers, then first and last, then exceptions by name") {
  auto model = make_model("resnet20", quantized(3, 4));
  auto bits = bits_of(*model);
  CHECK(bits.size() == 20);
  CHECK(bits["conv1"] == Bits{3, 4, true});  // images may be negative
  CHECK(bits["layer2.1.conv2"] == Bits{3, 4, false});
  CHECK(bits["fc"] == Bits{3, 4, false});

  auto options = quantized(3, 4);
  options.first_last_bits = 8;
  options.bits_of = {
      {"fc", {32, 32}}, {"layer1.0.conv1", {2, 2}}, {"layer1.1.conv1", {8, {}}}, {"layer1.2.conv1", {{}, 8}}};
  model = make_model("resnet20", options);
  bits = bits_of(*model);
  CHECK(bits["conv1"] == Bits{8, 8, true});
  CHECK(bits["fc"] == Bits{});
  CHECK(bits["layer1.0.conv1"] == Bits{2, 2, false});
  CHECK(bits["layer1.0.conv2"] == Bits{3, 4, false});
  CHECK(bits["layer1.1.conv1"] == Bits{8, 4, false});
  CHECK(bits["layer1.2.conv1"] == Bits{3, 8, false});

  // Weights only: an exception quantizes the inputs that it gives bits to.
  options.activation.bits = 32;
  options.bits_of = {{"layer1.0.conv1", {2, {}}}, {"layer1.1.conv1", {{}, 8}}};
  model = make_model("wrn16-4", options);
  bits = bits_of(*model);
  CHECK(bits["conv1"] == Bits{8, 32, false});
  CHECK(bits["layer1.0.conv1"] == Bits{2, 32, false});
  CHECK(bits["layer1.0.shortcut"] == Bits{3, 32, false});
  CHECK(bits["layer1.1.conv1"] == Bits{3, 8, false});

  ModelOptions full;
  full.first_last_bits = 8;
  model = make_model("resnet18", full);
  for (const auto& [name, layer] : bits_of(*model)) CHECK(layer == Bits{});
  full.bits_of = {{"fc", {8, 4}}};
  CHECK(bits_of(*make_model("resnet18", full))["fc"] == Bits{8, 4, false});
}

TEST_CASE("skip_bits: quantizers on both inputs of each sum and behind it, and on the first shortcut") {
  auto options = quantized(4, 4);
  options.skip_bits = 8;
  const auto signs = [&](const char* name) {
    std::map<std::string, bool> out;
    make_model(name, options)->visit([&](const std::string& path, Module& module) {
      const auto* q = dynamic_cast<const Quantizer*>(&module);
      if (q == nullptr || !path.ends_with("skip_quant")) return;
      CHECK(q->spec().bits == 8);
      CHECK(q->spec().method == "lsq");
      CHECK(q->spec().name == path);
      out[path] = q->spec().is_signed;
    });
    return out;
  };
  auto a = signs("resnet20");
  CHECK(a.size() == 1 + 9 * 2);
  CHECK_FALSE(a.at("skip_quant"));
  CHECK_FALSE(a.at("layer2.0.skip_quant"));
  CHECK(a.at("layer2.0.branch_skip_quant"));
  auto b = signs("resnet50");
  CHECK(b.size() == 1 + 16 * 2 + 4);
  CHECK(b.at("layer1.0.shortcut_skip_quant"));
  options.skip_bits = 32;
  CHECK(signs("resnet20").empty());
  CHECK_THROWS_WITH_AS(make_model("wrn16-4", {.skip_bits = 8}), Contains("leave it out"), std::invalid_argument);
}

TEST_CASE("skip_bits: in training the sum is of codes, and gradients reach every step") {
  auto options = quantized(8, 8);
  options.skip_bits = 2;
  LayerMaker make(options);
  Bottleneck block(make, "b", {.in = 4, .out = 8, .stride = 1, .inner = 4});
  const Tensor x = standard_normal({2, 4, 4, 4}, {.seed = 7});
  const Tensor y = block.forward(relu(x));
  std::set<float> values;
  for (const float v : y.to_vector()) values.insert(v);
  CHECK(values.size() <= 4);
  CHECK(values.size() > 1);
  sum(mul(y, y)).backward();
  int steps = 0;
  for (const Parameter& p : block.parameters()) {
    if (!p.name.ends_with("skip_quant.step")) continue;
    ++steps;
    CHECK_MESSAGE(p.value.grad().item() != 0.0f, p.name);
  }
  CHECK(steps == 3);
}

TEST_CASE("weights depend on the seed and the layer, not on quantization") {
  const auto weights = [](ModelOptions options, uint64_t seed) {
    options.seed = seed;
    const auto model = make_model("resnet20", options);
    std::map<std::string, Tensor> out;
    for (const auto& [name, tensor] : model->named_parameters()) out[name] = tensor;
    return out;
  };
  auto full = weights({}, 1), quant = weights(quantized(4, 4), 1), other = weights({}, 2);
  for (const char* name : {"conv1.weight", "layer2.0.conv1.weight", "fc.weight", "fc.bias"}) {
    CAPTURE(name);
    CHECK(same_values(full[name], quant[name]));
    CHECK_FALSE(same_values(full[name], other[name]));
  }
  CHECK_FALSE(same_values(full["layer1.0.conv1.weight"], full["layer1.0.conv2.weight"]));
}

TEST_CASE("noise streams differ by layer and follow the model's seed") {
  auto options = quantized(4, 4);
  options.seed = 9;
  const auto model = make_model("resnet20", options);
  std::vector<std::string> names;
  model->visit([&](const std::string& name, Module& module) {
    const auto* q = dynamic_cast<Quantizer*>(&module);
    if (q == nullptr) return;
    CHECK(q->spec().name == name);
    CHECK(q->spec().seed == 9);
    names.push_back(name);
  });
  CHECK(names.size() == 40);
}

TEST_CASE("zero_init_residual: a block starts as its shortcut") {
  for (const char* name : {"resnet18", "resnet50"}) {
    const auto model = make_model(name, {.zero_init_residual = true});
    for (const auto& [key, tensor] : model->named_parameters()) {
      const bool last = key.find(name == std::string("resnet18") ? ".bn2.weight" : ".bn3.weight") != key.npos;
      if (key.find("bn") != key.npos && key.find(".weight") != key.npos) CHECK(tensor.f32()[0] == (last ? 0.0f : 1.0f));
    }
  }
  CHECK_THROWS_WITH_AS(make_model("wrn16-4", {.zero_init_residual = true}), Contains("no batch norm ends its blocks"),
                       std::invalid_argument);
}

TEST_CASE("make_model: errors list what exists") {
  CHECK_THROWS_WITH_AS(make_model("resnet21", {}), Contains("no model 'resnet21'; there are: resnet101, "),
                       std::invalid_argument);
  for (const char* name : {"resnet20", "wrn16-4"})
    CHECK_THROWS_WITH_AS(make_model(name, {.stem = Stem::imagenet}), Contains("has only the cifar stem"),
                         std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_model("resnet20", {.classes = 0}), Contains("classes"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_model("resnet20", {.in_channels = 0}), Contains("channels"), std::invalid_argument);
  auto options = quantized(4, 32);
  options.bits_of = {{"layer9.conv1", {8, 8}}};
  CHECK_THROWS_WITH_AS(make_model("resnet20", options), Contains("'layer9.conv1', which is no layer of this model"),
                       std::invalid_argument);
  options.bits_of = {{"conv1", {9, {}}}};
  CHECK_THROWS_WITH_AS(make_model("resnet20", options), Contains("conv1.weight_quant: bits must be"),
                       std::invalid_argument);
  const auto names = model_names();
  CHECK(names.size() == 18);
  CHECK(std::is_sorted(names.begin(), names.end()));
}

TEST_CASE("whether an input is signed follows from what makes it, not from the layer's place") {
  const ModelOptions options{.weight = {.method = "lsq", .bits = 4}, .activation = {.method = "lsq", .bits = 4}};
  LayerMaker make(options);
  const auto is_signed = [](const WeightedLayer& layer) { return layer.input_quantizer()->spec().is_signed; };
  CHECK(is_signed(*make.conv("inner", {.in = 2, .out = 2}, Values::any)));
  CHECK_FALSE(is_signed(*make.conv("behind", {.in = 2, .out = 2}, kReluOutput)));
  CHECK(is_signed(*make.classifier("fc", 2, Values::any)));
  CHECK(is_signed(*make.first_conv("conv1", {.in = 3, .out = 2})));
  ModelOptions pixels = options;
  pixels.images = Values::non_negative;
  CHECK_FALSE(is_signed(*LayerMaker(pixels).first_conv("conv1", {.in = 3, .out = 2})));
}
