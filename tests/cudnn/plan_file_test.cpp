// Plans chosen by time and kept in a file: for a described GPU, by a timer that makes its times up.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "engine/backend/cuda/cudnn/plans.h"
#include "tests/cudnn/described_gpu.h"
#include "tests/cudnn/model_problems.h"
#include "tests/support/files.h"

using namespace ntq;
using cudnn::Arithmetic;
using cudnn::Direction;
using cudnn::Plan;
using cudnn::PlanFile;
using cudnn::Problem;

namespace {

const std::string kName = "NVIDIA H100 80GB HBM3";
const Problem kProblem{Direction::forward, {.batch = 128, .in_c = 512, .out_c = 100}, Arithmetic::float32};

cudnn::Gpu named_h100() {
  cudnn::Gpu gpu = test::gpu_of(test::h100());
  gpu.name = kName;
  return gpu;
}

/// What is offered last is the fastest.
struct LastIsFastest {
  int problems = 0;
  cudnn::Timer timer() {
    return [this](const Problem&, int64_t) -> cudnn::TimePlan {
      ++problems;
      return [time = 100.0](const Plan&, double) mutable -> std::optional<double> { return --time; };
    };
  }
};

std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const cudnn::Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

std::string made_of(const Plan& plan) {  // engine and knobs in cuDNN's own words, defaults too
  const auto text = plan.ready.all<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
  const std::string json(text.begin(), text.end());
  return json.substr(json.find("\"engine\""));
}

}  // namespace

TEST_CASE("cuDNN: plans chosen by time are those of the file ever after") {
  const test::TempFolder folder;
  const cudnn::Rules rules{.plans = folder / "plans.txt"};
  test::Use use;
  use.evaluation_batch = 128;
  std::vector<Problem> problems = test::without_repeats(test::problems_of("resnet18", use));
  for (size_t i = 0, count = problems.size(); i < count; ++i) {
    problems.push_back(problems[i]);
    problems.back().arithmetic = Arithmetic::tf32;
  }
  LastIsFastest first, second;
  cudnn::Plans timed(named_h100(), rules, first.timer());
  size_t others = 0;
  for (const Problem& problem : problems) {
    const Plan& plan = timed.plan_for(problem);
    others += made_of(plan) != made_of(choose_plan(problem, named_h100(), {}));
    CHECK(plan.workspace <= rules.workspace);
    CHECK(why_not(problem.arithmetic, plan.notes, {}) == nullptr);
  }
  CHECK(first.problems == static_cast<int>(problems.size()));
  CHECK(others > problems.size() / 2);
  const std::string text = test::read_file(rules.plans);
  CHECK(std::count(text.begin(), text.end(), '\n') == static_cast<long>(problems.size()) + 1);
  cudnn::Plans read(named_h100(), rules, second.timer());
  for (const Problem& problem : problems) {
    CAPTURE(problem.describe());
    const Plan& plan = read.plan_for(problem);
    CHECK(made_of(plan) == made_of(timed.plan_for(problem)));
    CHECK(plan.knobs == timed.plan_for(problem).knobs);
  }
  CHECK(second.problems == 0);
  CHECK(test::read_file(rules.plans) == text);
  CHECK(read.note() == ", plans of " + rules.plans);
  CHECK(cudnn::Plans(named_h100(), {}, second.timer()).note().empty());
}

TEST_CASE("cuDNN: what is offered and read again has the same knobs, those of the heuristics too") {
  for (const Direction direction : {Direction::forward, Direction::grad_input, Direction::grad_weight}) {
    Problem problem = kProblem;
    problem.direction = direction;
    const std::vector<Plan> all = candidates(problem, named_h100(), {});
    REQUIRE_FALSE(all.empty());
    std::set<std::pair<int64_t, cudnn::Knobs>> once;
    for (const Plan& plan : all) {
      CHECK(once.emplace(plan.engine, plan.knobs).second);
      CHECK(made_of(plan_with(problem, named_h100(), {}, plan.engine, plan.knobs)) == made_of(plan));
    }
    CHECK(made_of(all[0]) == made_of(choose_plan(problem, named_h100(), {})));
  }
}

TEST_CASE("cuDNN: the fastest that can be used") {
  std::vector<Plan> plans = candidates(kProblem, named_h100(), {});
  REQUIRE(plans.size() >= 3);
  plans.erase(plans.begin() + 3, plans.end());
  const auto of = [&](std::vector<std::optional<double>> times) {
    size_t next = 0;
    return cudnn::fastest(plans, [&](const Plan&, double) { return times[next++]; });
  };
  CHECK(of({3, 1, 2}) == 1);
  CHECK(of({2, 2, 2}) == 0);
  CHECK(of({std::nullopt, 5, std::nullopt}) == 1);
  CHECK(of({std::nullopt, std::nullopt, std::nullopt}) == std::nullopt);
}

TEST_CASE("cuDNN: what cannot be timed is chosen by heuristics and not kept, what gives no whole numbers is refused") {
  const test::TempFolder folder;
  const cudnn::Rules rules{.plans = folder / "plans.txt"};
  cudnn::Plans no_memory(named_h100(), rules, [](const Problem&, int64_t) { return cudnn::TimePlan(); });
  CHECK(made_of(no_memory.plan_for(kProblem)) == made_of(choose_plan(kProblem, named_h100(), {})));
  CHECK(test::read_file(rules.plans).empty());
  cudnn::Plans refused(named_h100(), rules, [](const Problem&, int64_t) -> cudnn::TimePlan {
    return [](const Plan&, double) { return std::nullopt; };
  });
  CHECK(refusal_of([&] { refused.plan_for(kProblem); }).find("whole numbers") != std::string::npos);
  cudnn::Plans lost(named_h100(), rules,
                    [](const Problem&, int64_t) -> cudnn::TimePlan { throw cudnn::Error("the device is lost"); });
  CHECK(refusal_of([&] { lost.plan_for(kProblem); }) == "the device is lost");
  CHECK(test::read_file(rules.plans).empty());
  LastIsFastest timer;
  CHECK_NOTHROW(cudnn::Plans(named_h100(), rules, timer.timer()).plan_for(kProblem));
  CHECK(timer.problems == 1);
}

TEST_CASE("cuDNN: a file of another GPU or cuDNN, or with a wrong line, is refused") {
  const test::TempFolder folder;
  const std::string path = folder / "plans.txt";
  const std::string header = "ntq-cudnn-plans 1, " + kName + ", cuDNN " + cudnn::version();
  PlanFile(path, kName, cudnn::version()).find_or_add(kProblem, [] { return PlanFile::Engine{70, {{2, 4}, {18, 0}}}; });
  CHECK(test::read_file(path) == header +
                                     "\nforward float32 128 1 1 512 1 1 100 1 1 1 0 1: engine 70 knobs 2=4 18=0 # " +
                                     kProblem.describe() + "\n");
  CHECK(refusal_of([&] {
          PlanFile(path, "NVIDIA H200", cudnn::version());
        }).find(path + ", line 1: expected 'ntq-cudnn-plans 1, NVIDIA H200, cuDNN ") == 0);
  CHECK(refusal_of([&] { PlanFile(path, kName, "9.8.0"); }).find("cuDNN 9.8.0', found '") != std::string::npos);
  const std::string good = "forward float32 128 1 1 512 1 1 100 1 1 1 0 1: engine 70 knobs 2=4";
  for (const std::string wrong :
       {"sideways float32 128 1 1 512 1 1 100 1 1 1 0 1: engine 70 knobs\n", "forward float32 128: engine 70 knobs\n",
        "forward float32 128 1 1 512 1 1 100 1 1 1 0 1: engine -1 knobs\n", "\n", "x\n"}) {
    test::write_file(path, header + "\n" + good + "\n" + wrong);
    CAPTURE(wrong);
    CHECK(refusal_of([&] { PlanFile(path, kName, cudnn::version()); }).find(path + ", line 3: expected") == 0);
  }
  for (const std::string rest : {" 3\n", " 3=\n", " x\n", ""}) {  // the last: half a line
    test::write_file(path, header + "\n" + good + rest);
    CHECK(refusal_of([&] { PlanFile(path, kName, cudnn::version()); }).find(path + ", line 2: expected") == 0);
  }
  CHECK(refusal_of([&] { PlanFile(folder.str(), kName, cudnn::version()); }).find("expected a file") !=
        std::string::npos);
}

TEST_CASE("cuDNN: an engine of the file that cannot be, or is denied, is an error with its line") {
  const test::TempFolder folder;
  cudnn::Rules rules{.plans = folder / "plans.txt"};
  PlanFile(rules.plans, kName, cudnn::version()).find_or_add(kProblem, [] { return PlanFile::Engine{70, {{2, 12}}}; });
  LastIsFastest timer;
  rules.denied.push_back({Direction::forward, 70});
  cudnn::Plans denied(named_h100(), rules, timer.timer());
  const std::string error = refusal_of([&] { denied.plan_for(kProblem); });
  CHECK(error.find(rules.plans + ", line 2: this plan cannot be used (engine 70, ") == 0);
  CHECK(error.find("1 denied") != std::string::npos);
  test::write_file(rules.plans, "");
  PlanFile(rules.plans, kName, cudnn::version()).find_or_add(kProblem, [] { return PlanFile::Engine{5000, {}}; });
  cudnn::Plans unknown(named_h100(), {.plans = rules.plans}, timer.timer());
  CHECK(refusal_of([&] { unknown.plan_for(kProblem); }).find(rules.plans + ", line 2: ") == 0);
  CHECK(timer.problems == 0);
}

TEST_CASE("cuDNN: those who share a file end with the same plans, each chosen once") {
  const test::TempFolder folder;
  const std::string path = folder / "plans.txt";
  constexpr int kThreads = 8, kProblems = 50;
  std::vector<std::vector<int64_t>> found(kThreads);
  std::vector<std::thread> threads;
  std::atomic<int> chosen = 0;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      PlanFile file(path, kName, cudnn::version());
      for (int i = 0; i < kProblems; ++i) {
        Problem problem = kProblem;
        problem.geometry.batch = 1 + i;
        const auto engine = file.find_or_add(problem, [&] { return PlanFile::Engine{1000 * thread + ++chosen, {}}; });
        found[static_cast<size_t>(thread)].push_back(engine->number);
      }
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(chosen == kProblems);
  for (const auto& each : found) CHECK(each == found[0]);
}
