// Which engines of cuDNN may be used, and what the environment says of it.
#include <doctest/doctest.h>

#include <cstdlib>

#include "engine/backend/cuda/cudnn/descriptor.h"
#include "engine/backend/cuda/cudnn/rules.h"

using namespace ntq;
using cudnn::Arithmetic;
using cudnn::Direction;

namespace {

const char* why_not_one(Arithmetic arithmetic, cudnnBackendNumericalNote_t note) {
  return cudnn::why_not(arithmetic, std::span(&note, 1), {});
}

/// A variable of the environment for the length of a block.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("cuDNN: engines are taken or left by what is noted of their arithmetic") {
  for (const Arithmetic each : {Arithmetic::float32, Arithmetic::tf32, Arithmetic::bf16}) {
    CHECK(cudnn::why_not(each, {}, {}) == nullptr);
    CHECK(why_not_one(each, CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP) == nullptr);
    CHECK(why_not_one(each, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) != nullptr);
    CHECK(why_not_one(each, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS) != nullptr);
    CHECK(why_not_one(each, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) != nullptr);
    CHECK(why_not_one(each, CUDNN_NUMERICAL_NOTE_WINOGRAD) != nullptr);
    CHECK(why_not_one(each, CUDNN_NUMERICAL_NOTE_FFT) != nullptr);
    for (const auto behaviour :
         {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION, CUDNN_BEHAVIOR_NOTE_CUBLASLT_DEPENDENCY,
          CUDNN_BEHAVIOR_NOTE_REQUIRES_FILTER_INT8x32_REORDER, CUDNN_BEHAVIOR_NOTE_REQUIRES_BIAS_INT8x32_REORDER}) {
      CHECK(cudnn::why_not(each, {}, std::span(&behaviour, 1)) != nullptr);
    }
    const auto captured = CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API;
    CHECK(cudnn::why_not(each, {}, std::span(&captured, 1)) == nullptr);
  }
  CHECK(why_not_one(Arithmetic::float32, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) != nullptr);
  CHECK(why_not_one(Arithmetic::tf32, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) == nullptr);
  CHECK(why_not_one(Arithmetic::bf16, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) == nullptr);
}

TEST_CASE("cuDNN: an engine is denied in its direction and versions") {
  const cudnn::Rules rules{.denied = {{Direction::forward, 5, 92301, 92500}, {Direction::grad_weight, 20}}};
  CHECK(cudnn::is_denied(rules, Direction::forward, 5, 92301));
  CHECK(cudnn::is_denied(rules, Direction::forward, 5, 92499));
  CHECK_FALSE(cudnn::is_denied(rules, Direction::forward, 5, 92300));
  CHECK_FALSE(cudnn::is_denied(rules, Direction::forward, 5, 92500));
  CHECK_FALSE(cudnn::is_denied(rules, Direction::forward, 6, 92301));
  CHECK_FALSE(cudnn::is_denied(rules, Direction::grad_input, 5, 92301));
  CHECK(cudnn::is_denied(rules, Direction::grad_weight, 20, 91900));
}

TEST_CASE("cuDNN: gradients of filters in float32 take engines that are known to sum products") {
  cudnn::Problem problem{Direction::grad_weight, {}, Arithmetic::float32};
  for (const int64_t engine : {0, 1, 67}) CHECK(cudnn::is_known({}, problem, engine));
  for (const int64_t engine : {4, 20, 61}) CHECK_FALSE(cudnn::is_known({}, problem, engine));
  CHECK(cudnn::is_known({.float32_grad_weight = {}}, problem, 4));
  problem.arithmetic = Arithmetic::tf32;
  CHECK(cudnn::is_known({}, problem, 4));
  CHECK(cudnn::is_known({}, {Direction::forward, {}, Arithmetic::float32}, 4));
}

TEST_CASE("cuDNN: rules of the environment") {
  CHECK(cudnn::rules_of_environment().denied.empty());
  CHECK(cudnn::rules_of_environment().workspace == 1280 << 20);
  CHECK(cudnn::rules_of_environment().plans.empty());
  {
    const Variable deny("NTQ_CUDNN_DENY", "forward:62,grad_weight:0"), room("NTQ_CUDNN_WORKSPACE", "1200");
    const cudnn::Rules rules = cudnn::rules_of_environment();
    CHECK(rules.workspace == int64_t{1200} << 20);
    const Variable plans("NTQ_CUDNN_PLANS", "run/plans.txt");
    CHECK(cudnn::rules_of_environment().plans == "run/plans.txt");
    REQUIRE(rules.denied.size() == 2);
    CHECK(cudnn::is_denied(rules, Direction::forward, 62, 91900));
    CHECK(cudnn::is_denied(rules, Direction::grad_weight, 0, 91900));
    CHECK_FALSE(cudnn::is_denied(rules, Direction::forward, 0, 91900));
  }
  for (const char* wrong : {"62", "backward:62", "forward:", "forward:x", "forward:-1", "forward:6,,", "forward:6 7"}) {
    const Variable deny("NTQ_CUDNN_DENY", wrong);
    CAPTURE(wrong);
    CHECK_THROWS_AS(cudnn::rules_of_environment(), cudnn::Error);
  }
  const Variable room("NTQ_CUDNN_WORKSPACE", "1 GiB");
  CHECK_THROWS_WITH_AS(cudnn::rules_of_environment(), "NTQ_CUDNN_WORKSPACE: expected a number, found '1 GiB'",
                       cudnn::Error);
}
