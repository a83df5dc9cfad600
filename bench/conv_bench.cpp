// Convolutions of ResNet-18 and -20 on 32x32 images, and of ResNet-18 and -50 on 224x224: forward, data gradient,
// filter gradient. Counters, of the fastest call: GFLOP/s by direct operations, and the share of the machine's limit
// for the types, measured at the start of the same run; Winograd does fewer and may pass 100%.
//   conv_bench [--types f32|bf16|codes|integers] [--benchmark_filter=resnet18/.*forward]    NTQ_CPU_ISA and
//   OMP_NUM_THREADS apply
// bf16: all but filters; codes: x is bytes, as a 4-bit quantizer gives them, the rest as bf16; integers: filters are
// such bytes too, forward alone.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/registry.h"
#include "engine/tensor.h"

namespace ntq::bench {
namespace {

struct ConvCase {
  const char* model;
  int64_t size, in, out, kernel, stride;  ///< of a square image and filter
};

/// Images in a step, by the side of the network's images.
constexpr int64_t kSmallBatch = 128, kLargeBatch = 16;

// Every shape once; how often a model uses it stands in models/.
constexpr ConvCase kSmall[] = {
    {"resnet20", 32, 3, 16, 3, 1},    {"resnet20", 32, 16, 16, 3, 1},   {"resnet20", 32, 16, 32, 3, 2},
    {"resnet20", 16, 32, 32, 3, 1},   {"resnet20", 16, 32, 64, 3, 2},   {"resnet20", 8, 64, 64, 3, 1},
    {"resnet18", 32, 3, 64, 3, 1},    {"resnet18", 32, 64, 64, 3, 1},   {"resnet18", 32, 64, 128, 3, 2},
    {"resnet18", 32, 64, 128, 1, 2},  {"resnet18", 16, 128, 128, 3, 1}, {"resnet18", 16, 128, 256, 3, 2},
    {"resnet18", 16, 128, 256, 1, 2}, {"resnet18", 8, 256, 256, 3, 1},  {"resnet18", 8, 256, 512, 3, 2},
    {"resnet18", 8, 256, 512, 1, 2},  {"resnet18", 4, 512, 512, 3, 1},
};
// ResNet-50 has its strides in the 3x3 convolutions.
constexpr ConvCase kLarge[] = {
    {"resnet18-224", 224, 3, 64, 7, 2},    {"resnet18-224", 56, 64, 64, 3, 1},
    {"resnet18-224", 56, 64, 128, 3, 2},   {"resnet18-224", 56, 64, 128, 1, 2},
    {"resnet18-224", 28, 128, 128, 3, 1},  {"resnet18-224", 28, 128, 256, 3, 2},
    {"resnet18-224", 28, 128, 256, 1, 2},  {"resnet18-224", 14, 256, 256, 3, 1},
    {"resnet18-224", 14, 256, 512, 3, 2},  {"resnet18-224", 14, 256, 512, 1, 2},
    {"resnet18-224", 7, 512, 512, 3, 1},   {"resnet50-224", 56, 64, 64, 1, 1},
    {"resnet50-224", 56, 64, 256, 1, 1},   {"resnet50-224", 56, 256, 64, 1, 1},
    {"resnet50-224", 56, 256, 128, 1, 1},  {"resnet50-224", 56, 128, 128, 3, 2},
    {"resnet50-224", 28, 128, 512, 1, 1},  {"resnet50-224", 56, 256, 512, 1, 2},
    {"resnet50-224", 28, 512, 128, 1, 1},  {"resnet50-224", 28, 512, 256, 1, 1},
    {"resnet50-224", 28, 256, 256, 3, 2},  {"resnet50-224", 14, 256, 1024, 1, 1},
    {"resnet50-224", 28, 512, 1024, 1, 2}, {"resnet50-224", 14, 1024, 256, 1, 1},
    {"resnet50-224", 14, 1024, 512, 1, 1}, {"resnet50-224", 14, 512, 512, 3, 2},
    {"resnet50-224", 7, 512, 2048, 1, 1},  {"resnet50-224", 14, 1024, 2048, 1, 2},
    {"resnet50-224", 7, 2048, 512, 1, 1},
};

ConvGeometry geometry(const ConvCase& c, int64_t batch) {
  const int64_t pad = c.kernel / 2, out = (c.size + 2 * pad - c.kernel) / c.stride + 1;
  return {.batch = batch,
          .in_h = c.size,
          .in_w = c.size,
          .in_c = c.in,
          .out_h = out,
          .out_w = out,
          .out_c = c.out,
          .kernel_h = c.kernel,
          .kernel_w = c.kernel,
          .stride = c.stride,
          .pad = pad};
}

/// Numbers in [-1, 1], codes in [0, 15] or [-8, 7].
Tensor noise(const Shape& shape, const char* name, DType type) {
  Tensor out = Tensor::empty(shape, type);
  const RandomKey key{.seed = 1, .stream = stream_id(name)};
  for (int64_t i = 0; i < out.numel(); ++i) {
    const float value = 2 * random_unit(key, static_cast<uint64_t>(i)) - 1;
    if (type == DType::f32) out.f32()[i] = value;
    if (type == DType::bf16) out.data<BFloat16>()[i] = to_bf16(value);
    if (type == DType::u8) out.data<uint8_t>()[i] = static_cast<uint8_t>(std::fabs(value) * 15.99f);
    if (type == DType::i8) out.data<int8_t>()[i] = static_cast<int8_t>(std::floor(value * 7.99f));
  }
  return out;
}

enum class Pass { forward, grad_input, grad_weight };
struct Types {
  DType x = DType::f32, y = DType::f32;  ///< y: that of all gradients but the filters'
  Limit limit = Limit::fma;
  DType w = DType::f32;
};
std::optional<Types> types_of(std::string_view name) {
  if (name == "f32") return Types{};
  if (name == "bf16") return Types{DType::bf16, DType::bf16, Limit::bf16_dot};
  if (name == "codes") return Types{DType::u8, DType::bf16, Limit::bf16_dot};
  if (name == "integers") return Types{DType::u8, DType::bf16, Limit::byte_dot, DType::i8};
  return {};
}

void run(benchmark::State& state, const ConvGeometry& g, const Types& types, Pass pass, double limit) {
  const Shape images{g.batch, g.in_h, g.in_w, g.in_c};
  const Tensor x = noise(images, "x", types.x), y = noise({g.batch, g.out_h, g.out_w, g.out_c}, "y", types.y);
  const Tensor w = noise({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, "w", types.w), dx = noise(images, "x", types.y);
  const Tensor step = Tensor::full({1}, 0.1f);
  Backend& backend = backend_for({});
  const auto once = [&] {
    switch (pass) {
      case Pass::forward:
        if (types.w == DType::f32) return backend.conv2d(g, x.view(), w.view(), y.view());
        return backend.conv2d_codes(g, {x.view(), w.view(), step.view(), step.view(), 15, 8}, y.view());
      case Pass::grad_input: return backend.conv2d_grad_input(g, y.view(), w.view(), dx.view());
      case Pass::grad_weight: return backend.conv2d_grad_weight(g, y.view(), x.view(), w.view());
    }
  };
  once();  // its scratch memory is there from then on
  double best = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    once();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double gflops = 2e-9 * static_cast<double>(g.macs()) / best;
  state.counters["GFLOP/s"] = gflops;
  if (limit > 0) state.counters["share"] = gflops / limit;
}

void add(const ConvCase& c, int64_t batch, const Types& types, double limit) {
  for (const auto& [name, pass] : {std::pair{"forward", Pass::forward}, std::pair{"grad_input", Pass::grad_input},
                                   std::pair{"grad_weight", Pass::grad_weight}}) {
    if (pass != Pass::forward && types.w != DType::f32) continue;
    const std::string size = std::to_string(c.size);
    const std::string title = std::string(c.model) + "/" + size + "x" + size + "/" + std::to_string(c.in) + "to" +
                              std::to_string(c.out) + "/k" + std::to_string(c.kernel) + "s" + std::to_string(c.stride) +
                              "/" + name;
    benchmark::RegisterBenchmark(
        title.c_str(),
        [&c, batch, types, pass = pass, limit](auto& state) { run(state, geometry(c, batch), types, pass, limit); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace ntq::bench

int main(int argc, char** argv) {
  using namespace ntq::bench;
  benchmark::Initialize(&argc, argv);
  std::optional<Types> types = Types{};
  if (argc == 3 && std::string_view(argv[1]) == "--types" && (types = types_of(argv[2]))) argc = 1;
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const std::string machine = ntq::backend_for({}).describe();
  const double limit = ntq::machine_limit(types->limit, ntq::cpu_threads());
  std::fprintf(stderr, "%s; limit %.1f GFLOP/s\n", machine.c_str(), limit);
  for (const auto& c : kSmall) add(c, kSmallBatch, *types, limit);
  for (const auto& c : kLarge) add(c, kLargeBatch, *types, limit);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
