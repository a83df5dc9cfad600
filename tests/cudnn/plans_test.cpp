// Plans for a GPU that is described: what is chosen, kept, denied and refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "engine/backend/cuda/cudnn/plans.h"
#include "tests/cudnn/described_gpu.h"
#include "tests/support/files.h"

using namespace ntq;
using cudnn::Arithmetic;
using cudnn::Direction;
using cudnn::Problem;

namespace {

constexpr Direction kDirections[] = {Direction::forward, Direction::grad_input, Direction::grad_weight};
constexpr Arithmetic kArithmetic[] = {Arithmetic::float32, Arithmetic::tf32, Arithmetic::bf16};

/// A convolution of ResNet-18's second group.
const ConvGeometry kStrided{.batch = 128,
                            .in_h = 32,
                            .in_w = 32,
                            .in_c = 64,
                            .out_h = 16,
                            .out_w = 16,
                            .out_c = 128,
                            .kernel_h = 3,
                            .kernel_w = 3,
                            .stride = 2,
                            .pad = 1};

const cudnn::Gpu& described_h100() {
  static const cudnn::Gpu gpu = test::gpu_of(test::h100());
  return gpu;
}

bool notes(const cudnn::Plan& plan, cudnnBackendNumericalNote_t note) {
  return std::find(plan.notes.begin(), plan.notes.end(), note) != plan.notes.end();
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const cudnn::Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("cuDNN: a plan is chosen once, for all that it is for") {
  cudnn::Plans plans(test::gpu_of(test::h100()), {});
  std::vector<Problem> problems;
  for (const Direction direction : kDirections) {
    for (const Arithmetic arithmetic : kArithmetic) problems.push_back({direction, kStrided, arithmetic});
  }
  Problem other{.geometry = kStrided};
  other.geometry.batch = 100;
  problems.push_back(other);
  std::vector<const cudnn::Plan*> chosen;
  for (const Problem& problem : problems) chosen.push_back(&plans.plan_for(problem));
  CHECK(plans.size() == problems.size());
  for (size_t i = 0; i < problems.size(); ++i) CHECK(&plans.plan_for(problems[i]) == chosen[i]);
  CHECK(plans.size() == problems.size());
}

TEST_CASE("cuDNN: the same choice each time, tensor cores only where they may be") {
  for (const Direction direction : kDirections) {
    for (const Arithmetic arithmetic : kArithmetic) {
      const Problem problem{direction, kStrided, arithmetic};
      CAPTURE(problem.describe());
      const cudnn::Plan plan = choose_plan(problem, described_h100(), {});
      CHECK(notes(plan, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) == (arithmetic != Arithmetic::float32));
      CHECK(choose_plan(problem, described_h100(), {}).describe() == plan.describe());
    }
  }
}

TEST_CASE("cuDNN: a denied engine is not chosen") {
  for (const Direction direction : kDirections) {
    const Problem problem{direction, kStrided, Arithmetic::tf32};
    cudnn::Rules rules;
    for (int i = 0; i < 3; ++i) {
      const int64_t engine = choose_plan(problem, described_h100(), rules).engine;
      CHECK_FALSE(is_denied(rules, direction, engine, cudnnGetVersion()));
      rules.denied.push_back({direction, engine});
    }
    for (int64_t engine = 0; engine < 200; ++engine) rules.denied.push_back({direction, engine});
    const std::string error = error_of([&] { choose_plan(problem, described_h100(), rules); });
    CHECK(error.find(" has no plan for " + problem.describe() + ": ") != std::string::npos);
    CHECK(error.find(" denied") != std::string::npos);
  }
}

TEST_CASE("cuDNN: workspace is what the rules give, or the least that there is") {
  const Problem problem{Direction::grad_weight, kStrided, Arithmetic::bf16};
  const int64_t usual = choose_plan(problem, described_h100(), {}).workspace;
  REQUIRE(usual > 0);
  CHECK(choose_plan(problem, described_h100(), {.workspace = usual}).workspace == usual);
  CHECK(choose_plan(problem, described_h100(), {.workspace = usual - 1}).workspace < usual);
  // 3x3 of three channels: no engine does without.
  Problem stem{Direction::forward, kStrided, Arithmetic::bf16};
  stem.geometry.in_c = 3;
  const int64_t least = choose_plan(stem, described_h100(), {.workspace = 0}).workspace;
  CHECK(least <= choose_plan(stem, described_h100(), {}).workspace);
}

TEST_CASE("cuDNN: groups and linear layers") {
  ConvGeometry grouped = kStrided, linear{.batch = 128, .in_c = 512};
  grouped.groups = 4;
  linear.out_c = 100;
  for (const Direction direction : kDirections) {
    for (const Arithmetic arithmetic : kArithmetic) {
      for (const ConvGeometry& geometry : {grouped, linear}) {
        CHECK_NOTHROW(choose_plan({direction, geometry, arithmetic}, described_h100(), {}));
      }
    }
  }
}

TEST_CASE("cuDNN: unusual sizes have plans too") {
  const auto of = [](int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad) {
    ConvGeometry g{.in_h = size, .in_w = size + 1, .in_c = in};
    g.out_c = out, g.kernel_h = g.kernel_w = kernel, g.stride = stride, g.pad = pad;
    g.out_h = (g.in_h + 2 * pad - kernel) / stride + 1, g.out_w = (g.in_w + 2 * pad - kernel) / stride + 1;
    return g;
  };
  // One of everything, channels of odd numbers, kernels and paddings larger than the images.
  for (const ConvGeometry& g : {of(1, 1, 1, 1, 1, 0), of(13, 8, 5, 12, 3, 7), of(33, 8, 1, 33, 1, 2),
                                of(20, 9, 2, 19, 7, 30), of(6, 16, 31, 2, 3, 0)}) {
    for (const Direction direction : kDirections) {
      for (const Arithmetic arithmetic : {Arithmetic::float32, Arithmetic::tf32}) {
        CHECK_NOTHROW(choose_plan({direction, g, arithmetic}, described_h100(), {}));
      }
    }
  }
}

TEST_CASE("cuDNN: other GPUs have plans too, an old one none in bfloat16") {
  for (const int version : {800, 860, 890, 1000, 1200}) {
    const cudnn::Gpu gpu = test::gpu_of(test::h100(version));
    for (const Direction direction : kDirections) {
      for (const Arithmetic arithmetic : kArithmetic) {
        CAPTURE(version);
        CHECK_NOTHROW(choose_plan({direction, kStrided, arithmetic}, gpu, {}));
      }
    }
  }
  const cudnn::Gpu turing = test::gpu_of(test::h100(750));
  CHECK_NOTHROW(choose_plan({Direction::forward, kStrided, Arithmetic::float32}, turing, {}));
  CHECK(error_of([&] {
          choose_plan({Direction::forward, kStrided, Arithmetic::bf16}, turing, {});
        }) ==
        "cuDNN " + cudnn::version() +
            " has no plan for forward of {128,32,32,64} by {128,3,3,64}, stride 2, padding 1, bf16: none was offered");
}

TEST_CASE("cuDNN: errors bring cuDNN's own words") {
  nlohmann::json incomplete = test::h100();
  incomplete.erase("multiProcessorCount");
  CHECK(error_of([&] { test::gpu_of(incomplete); }).find("HasMember") != std::string::npos);
  Problem wrong{.geometry = kStrided};
  wrong.geometry.out_h = 17;
  const std::string error = error_of([&] { choose_plan(wrong, described_h100(), {}); });
  CHECK(error.find("CUDNN_STATUS_BAD_PARAM") != std::string::npos);
  CHECK(error.find('(') != std::string::npos);
}

TEST_CASE("cuDNN: each choice is a line in the file that NTQ_CUDNN_LOG names") {
  const test::TempFolder folder;
  const std::string file = folder / "plans.txt";
  setenv("NTQ_CUDNN_LOG", file.c_str(), 1);
  cudnn::Plans plans(test::gpu_of(test::h100()), {});
  const Problem problem{Direction::forward, kStrided, Arithmetic::tf32};
  const std::string plan = plans.plan_for(problem).describe();
  plans.plan_for(problem);
  unsetenv("NTQ_CUDNN_LOG");
  CHECK(test::read_file(file) == problem.describe() + ": " + plan + "\n");
  CHECK(plan.find("engine ") == 0);
  CHECK(plan.find("notes tensor_core") != std::string::npos);
}
