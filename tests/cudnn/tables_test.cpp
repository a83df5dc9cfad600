// The tables of docs/gpu.md, by hand: ntq_cudnn_tests -ns -tc="*table*". Not a test; skipped without -ns.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "engine/backend/cuda/cudnn/plan.h"
#include "tests/cudnn/described_gpu.h"
#include "tests/cudnn/model_problems.h"

using namespace ntq;
using cudnn::Arithmetic;
using cudnn::Direction;
using cudnn::Problem;

namespace {

constexpr Arithmetic kRows[] = {Arithmetic::float32, Arithmetic::tf32, Arithmetic::bf16};

/// An H100 SXM by its data sheet: operations (dense) and bytes a second.
constexpr double kBytesPerSecond = 3.35e12;
double operations_per_second(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::float32 ? 67e12 : arithmetic == Arithmetic::tf32 ? 494e12 : 989e12;
}

/// Of one pass, which reads two of the three tensors and writes the third.
struct Cost {
  double operations = 0, bytes = 0;
  Cost(const ConvGeometry& g, Arithmetic arithmetic) : operations(2.0 * static_cast<double>(g.macs())) {
    const int64_t images = g.batch * g.in_h * g.in_w * g.in_c, outputs = g.batch * g.out_h * g.out_w * g.out_c,
                  filters = g.out_c * g.kernel_h * g.kernel_w * g.in_c / g.groups;
    bytes = static_cast<double>(images + outputs + filters) * (arithmetic == Arithmetic::bf16 ? 2 : 4);
  }
  double floor_microseconds(Arithmetic arithmetic) const {
    return 1e6 * std::max(operations / operations_per_second(arithmetic), bytes / kBytesPerSecond);
  }
};

/// A convolution of a network, and how often a step has it in each direction.
struct Layer {
  ConvGeometry g;
  std::map<Direction, int> times;
};

std::vector<Layer> layers_of(const std::string& model, const test::Use& use) {
  std::vector<Layer> layers;
  std::map<Problem::Key, size_t> places;
  for (const Problem& problem : test::problems_of(model, use)) {
    if (problem.geometry.batch != use.training_batch) continue;
    const auto [place, is_new] = places.emplace(Problem{.geometry = problem.geometry}.key(), layers.size());
    if (is_new) layers.push_back({problem.geometry, {}});
    ++layers[place->second].times[problem.direction];
  }
  return layers;
}

void print_floors(const std::string& model, test::Use use) {
  use.evaluation_batch = 1;  // so that it is told apart
  std::printf("\n%s, %ld images of %ldx%ld\n\n", model.c_str(), static_cast<long>(use.training_batch),
              static_cast<long>(use.size), static_cast<long>(use.size));
  std::printf("| input | filters | stride | passes | GFLOP | MB | FLOP/byte | float32 | tf32 | bf16 |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|---|\n");
  std::map<Arithmetic, double> sums;
  double operations = 0, bytes = 0;
  for (const Layer& layer : layers_of(model, use)) {
    const ConvGeometry& g = layer.g;
    int passes = 0;
    for (const auto& [direction, times] : layer.times) passes += times;
    const Cost cost(g, Arithmetic::float32);
    std::printf("| %ldx%ldx%ld | %ld of %ldx%ld | %ld | %d | %.2f | %.0f | %.0f |", static_cast<long>(g.in_h),
                static_cast<long>(g.in_w), static_cast<long>(g.in_c), static_cast<long>(g.out_c),
                static_cast<long>(g.kernel_h), static_cast<long>(g.kernel_w), static_cast<long>(g.stride), passes,
                cost.operations / 1e9, cost.bytes / 1e6, cost.operations / cost.bytes);
    operations += passes * cost.operations, bytes += passes * cost.bytes;
    for (const Arithmetic each : kRows) {
      const double time = Cost(g, each).floor_microseconds(each);
      sums[each] += passes * time;
      std::printf(" %.0f |", time);
    }
    std::printf("\n");
  }
  std::printf("| all | | | | %.0f | %.0f | |", operations / 1e9, bytes / 1e6);
  for (const Arithmetic each : kRows) std::printf(" %.0f |", sums[each]);
  std::printf("\n\nimages a second if convolutions were all:");
  for (const Arithmetic each : kRows) {
    std::printf(" %s %.0f", name_of(each).c_str(), static_cast<double>(use.training_batch) * 1e6 / sums[each]);
  }
  std::printf("\n");
}

void print_engines(const std::string& title, const std::vector<Problem>& problems) {
  const cudnn::Gpu gpu = test::gpu_of(test::h100());
  const cudnn::Rules rules = cudnn::rules_of_environment();
  std::printf("\n%s\n\n", title.c_str());
  std::printf(
      "| arithmetic | direction | problems | engines (problems) | of the fallback list | largest workspace |\n");
  std::printf("|---|---|---|---|---|---|\n");
  for (const Arithmetic arithmetic : kRows) {
    for (const Direction direction : {Direction::forward, Direction::grad_input, Direction::grad_weight}) {
      std::map<int64_t, int> engines;
      int64_t workspace = 0;
      int count = 0, fallback = 0;
      for (Problem problem : problems) {
        if (problem.direction != direction) continue;
        problem.arithmetic = arithmetic;
        const cudnn::Plan plan = choose_plan(problem, gpu, rules);
        ++engines[plan.engine], ++count, fallback += plan.fallback;
        workspace = std::max(workspace, plan.workspace);
      }
      std::printf("| %s | %s | %d |", name_of(arithmetic).c_str(), name_of(direction).c_str(), count);
      for (const auto& [engine, times] : engines) std::printf(" %ld (%d)", static_cast<long>(engine), times);
      std::printf(" | %d | %.0f MiB |\n", fallback, static_cast<double>(workspace) / 0x1p20);
    }
  }
}

}  // namespace

TEST_CASE("cuDNN: tables of the documentation" * doctest::skip()) {
  test::Use imagenet{.stem = Stem::imagenet, .size = 224, .classes = 1000};
  imagenet.training_batch = imagenet.evaluation_batch = 256;
  print_engines("ResNet-18 at 32x32", test::without_repeats(test::problems_of("resnet18", {})));
  print_engines("ResNet-50 at 224x224", test::without_repeats(test::problems_of("resnet50", imagenet)));
  print_floors("resnet18", {});
  print_floors("resnet50", imagenet);
}
