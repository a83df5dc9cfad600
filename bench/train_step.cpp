// One training step of a whole model on synthetic images: forward, loss, backward, SGD. Prints one JSON object, which
// scripts/compare-pytorch reads. From --size 64 on, the network has the stem for photographs and 1000 classes.
//   train_step --model resnet20 --batch 128 --bits 4 --method ntq --steps 10
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/isa.h"
#include "base/limits.h"
#include "base/peak_memory.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/profiled.h"
#include "engine/backend/registry.h"
#include "engine/ops/loss.h"
#include "engine/random.h"
#include "models/model.h"
#include "optim/sgd.h"
#include "quant/tree.h"
#include "train/activations.h"

namespace ntq::bench {
namespace {

struct Options {
  std::string model = "resnet20", method = "ntq", activation_method, precision = "fp32", device = "cpu";
  int64_t batch = 128, size = 32;
  int bits = 32, activation_bits = 0, steps = 10, warmup = 2, together = 1, threads = 0;
  bool limits = false;
};

// Multiply-adds of the convolutions and the classifier for one image of that size, counted layer by layer.
const std::map<std::pair<std::string, int64_t>, double> kMacs = {{{"resnet20", 32}, 40'551'040},
                                                                 {{"resnet18", 32}, 555'422'720},
                                                                 {{"resnet18", 224}, 1'814'073'344},
                                                                 {{"resnet50", 224}, 4'089'184'256}};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app("Times training steps on synthetic 32x32 images.");
  app.add_option("--model", o.model, "model by name")->capture_default_str();
  app.add_option("--precision", o.precision, "of products, or of the values between layers")
      ->capture_default_str()
      ->check(CLI::IsMember({"fp32", "tf32", "bf16"}));
  app.add_option("--device", o.device, "cpu, cuda, cuda:1")->capture_default_str();
  app.add_option("--together", o.together, "steps that are queued before the device is waited for")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch, "images in a step")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--size", o.size, "side of the images")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--bits", o.bits, "bits of weights and inputs, 32: full precision")->capture_default_str();
  app.add_option("--activation-bits", o.activation_bits, "bits of inputs, 0: as --bits")->capture_default_str();
  app.add_option("--method", o.method, "quantization method")->capture_default_str();
  app.add_option("--activation-method", o.activation_method, "of inputs, where it is another");
  app.add_option("--steps", o.steps, "timed steps")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--warmup", o.warmup, "steps before them")->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--threads", o.threads, "threads, 0: one per core")->capture_default_str();
  app.add_flag("--limits", o.limits, "measure the machine's limits too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  return o;
}

ModelOptions model_options(const Options& o) {
  ModelOptions options;
  if (o.size >= 64) options.stem = Stem::imagenet, options.classes = 1000;
  options.weight.method = o.method;
  options.activation.method = o.activation_method.empty() ? o.method : o.activation_method;
  options.weight.bits = o.bits;
  options.activation.bits = o.activation_bits == 0 ? o.bits : o.activation_bits;
  return options;
}

struct Steps {
  std::vector<double> times;  ///< milliseconds of each timed step
  int64_t bytes_between = 0;  ///< that one step moves beside convolutions: operands, each read or written once
};

Steps time_steps(const Options& o) {
  const Device device(o.device);
  Backend& backend = backend_for(device);
  if (!backend.use_products(o.precision == "tf32" ? Products::tf32 : Products::float32))
    throw DeviceError(o.device + " has no TF32");
  const auto model = make_model(o.model, model_options(o));
  model->to(device);
  Sgd sgd(model->parameters(), {.momentum = 0.9f, .weight_decay = 1e-4f});
  Tensor images = Tensor::empty({o.batch, o.size, o.size, 3}), labels = Tensor::empty({o.batch}, DType::i32);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.f32()[i] = 4 * random_unit({.stream = stream_id("images")}, static_cast<uint64_t>(i)) - 2;
  for (int64_t i = 0; i < o.batch; ++i) labels.data<int32_t>()[i] = static_cast<int32_t>(i % 10);

  images = images.to(device), labels = labels.to(device);

  const DType activations = o.precision == "bf16" ? DType::bf16 : DType::f32;
  Steps out;
  calibrate(*model, [&] {  // as ntq-train does: a first step that sets quantizer steps keeps more memory than others
    const NoGrad no_grad;
    model->eval();
    logits_of(*model, images, activations);
    model->train();
  });
  const auto step = [&] {
    sgd.zero_grad();
    softmax_cross_entropy(logits_of(*model, images, activations), labels).backward();
    sgd.step(0.01f);
  };
  for (int i = 0; i < o.warmup + o.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < o.together; ++k) step();
    synchronize(device);
    const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    if (i >= o.warmup) out.times.push_back(spent.count() / o.together);
  }
  profile_primitives(device, [&](const PrimitiveCall& call) { out.bytes_between += call.flop > 0 ? 0 : call.bytes; });
  step();
  profile_primitives(device, {});
  return out;
}

nlohmann::ordered_json measure(const Options& o) {
  if (o.threads > 0) set_cpu_threads(o.threads);
  const Steps steps = time_steps(o);
  std::vector<double> times = steps.times;
  std::sort(times.begin(), times.end());
  const double ms = times[times.size() / 2], per_second = static_cast<double>(o.batch) / ms * 1e3;
  nlohmann::ordered_json out = {
      {"model", o.model},
      {"batch", o.batch},
      {"bits", o.bits},
      {"precision", o.precision},
      {"method", o.bits == 32 ? "fp" : o.method},
      {"steps", o.steps},
      {"ms_per_step", ms},
      {"fastest_ms", times.front()},
      {"images_per_second", per_second},
      {"peak_tensor_mb", static_cast<double>(cpu_memory().peak) / 1e6},
      {"peak_memory_mb", static_cast<double>(peak_memory()) / 1e6},
      {"device_memory_mb", static_cast<double>(backend_for(Device(o.device)).bytes_held()) / 1e6},
      {"bytes_between_per_image", static_cast<double>(steps.bytes_between) / static_cast<double>(o.batch)},
      {"device", backend_for(Device(o.device)).describe()}};
  if (const auto macs = kMacs.find({o.model, o.size}); macs != kMacs.end()) {
    out["flop_per_image"] = 6 * macs->second;  // forward, data gradient and filter gradient, 2 each
    out["gflops"] = 6 * macs->second * per_second / 1e9;
  }
  if (o.limits) {
    out["fma_limit_gflops"] = machine_limit(Limit::fma, cpu_threads());
    const double bf16 = machine_limit(Limit::bf16_dot, cpu_threads());
    if (bf16 > 0) out["bf16_limit_gflops"] = bf16;
  }
  return out;
}

}  // namespace
}  // namespace ntq::bench

int main(int argc, char** argv) {
  const auto options = ntq::bench::parse(argc, argv);
  try {
    std::cout << ntq::bench::measure(options).dump(2) << "\n";
  } catch (const std::exception& error) {
    std::cerr << "train_step: " << error.what() << "\n";
    return 2;
  }
}
