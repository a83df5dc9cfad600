// Every convolution of every model has a plan: planned as for a GPU, for one that is described.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "engine/backend/cuda/cudnn/plan.h"
#include "tests/cudnn/described_gpu.h"
#include "tests/cudnn/model_problems.h"

using namespace ntq;
using cudnn::Arithmetic;
using cudnn::Direction;
using cudnn::Problem;

namespace {

const test::Use kCifar;
const test::Use kImageNet{
    .stem = Stem::imagenet, .size = 224, .classes = 1000, .training_batch = 256, .evaluation_batch = 200};

/// Deeper ones of a family repeat what the others have; initial values take their time.
bool repeats_others(const std::string& model) { return model == "resnet101" || model == "resnet152"; }

std::vector<Problem> problems_of_all_models() {
  std::vector<Problem> all;
  const auto add = [&](const std::string& model, const test::Use& use) {
    const std::vector<Problem> more = test::problems_of(model, use);
    all.insert(all.end(), more.begin(), more.end());
  };
  for (const std::string& model : model_names()) {
    if (repeats_others(model)) continue;
    add(model, kCifar);
    try {
      add(model, kImageNet);
    } catch (const std::invalid_argument& error) {
      CHECK(std::string(error.what()).find("has only the cifar stem") != std::string::npos);
    }
  }
  return test::without_repeats(all);
}

}  // namespace

TEST_CASE("cuDNN: what a training step asks of convolutions") {
  const std::vector<Problem> problems = test::problems_of("resnet20", kCifar);
  const auto count = [&](Direction direction, int64_t batch) {
    return std::count_if(problems.begin(), problems.end(), [&](const Problem& problem) {
      return problem.direction == direction && problem.geometry.batch == batch;
    });
  };
  CHECK(count(Direction::forward, 128) == 20);
  CHECK(count(Direction::grad_weight, 128) == 20);
  CHECK(count(Direction::grad_input, 128) == 19);  // images have none
  CHECK(count(Direction::forward, 1000) == 20);
  CHECK(problems.size() == 79);
}

TEST_CASE("cuDNN: ResNet-101 and ResNet-152 ask of convolutions what ResNet-50 does") {
  std::set<Problem::Key> known;
  for (const Problem& problem : test::problems_of("resnet50", kImageNet)) known.insert(problem.key());
  for (const std::string model : {"resnet101", "resnet152"}) {
    REQUIRE(repeats_others(model));
    const std::vector<Problem> problems = test::problems_of(model, kImageNet);
    CHECK(problems.size() > 300);
    for (const Problem& problem : problems) CHECK_MESSAGE(known.contains(problem.key()), problem.describe());
  }
}

TEST_CASE("cuDNN: every convolution of every model has a plan within the rules") {
  std::vector<Problem> problems = problems_of_all_models();
  CHECK(problems.size() > 400);
  const cudnn::Gpu gpu = test::gpu_of(test::h100());
  const cudnn::Rules rules;
  for (const Arithmetic arithmetic : {Arithmetic::float32, Arithmetic::tf32, Arithmetic::bf16}) {
    for (Problem& problem : problems) {
      problem.arithmetic = arithmetic;
      CAPTURE(problem.describe());
      const cudnn::Plan plan = choose_plan(problem, gpu, rules);
      CHECK(plan.workspace <= rules.workspace);
      CHECK(why_not(arithmetic, plan.notes, {}) == nullptr);
      CHECK_FALSE(is_denied(rules, problem.direction, plan.engine, cudnnGetVersion()));
      CHECK(is_known(rules, problem, plan.engine));
    }
  }
}
