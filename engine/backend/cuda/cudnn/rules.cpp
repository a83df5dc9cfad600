#include "engine/backend/cuda/cudnn/rules.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "engine/backend/cuda/cudnn/descriptor.h"

namespace ntq::cudnn {
namespace {

int64_t number_of(const std::string& text, const std::string& where) {
  int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    throw SettingError(where + ": expected a number, found '" + text + "'");
  }
  return value;
}

Denied denied_of(const std::string& text) {
  const auto colon = text.find(':');
  const std::string direction = text.substr(0, colon);
  for (const Direction each : {Direction::forward, Direction::grad_input, Direction::grad_weight}) {
    if (colon != std::string::npos && direction == name_of(each)) {
      return {each, number_of(text.substr(colon + 1), "NTQ_CUDNN_DENY")};
    }
  }
  throw SettingError("NTQ_CUDNN_DENY: expected forward:N, grad_input:N or grad_weight:N, separated by commas, found '" +
                     text + "'");
}

}  // namespace

Rules rules_of_environment() {
  Rules rules;
  if (const char* const denied = std::getenv("NTQ_CUDNN_DENY"); denied != nullptr) {
    std::istringstream list(denied);
    for (std::string each; std::getline(list, each, ',');) rules.denied.push_back(denied_of(each));
  }
  if (const char* const room = std::getenv("NTQ_CUDNN_WORKSPACE"); room != nullptr) {
    rules.workspace = std::min(number_of(room, "NTQ_CUDNN_WORKSPACE"), int64_t{1} << 40) << 20;
  }
  if (const char* const plans = std::getenv("NTQ_CUDNN_PLANS"); plans != nullptr) rules.plans = plans;
  return rules;
}

const char* why_not(Arithmetic arithmetic, std::span<const cudnnBackendNumericalNote_t> notes,
                    std::span<const cudnnBackendBehaviorNote_t> behaviour) {
  for (const auto note : notes) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC: return "not deterministic";
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION: return "less precise than asked for";
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
        if (arithmetic == Arithmetic::float32) return "less precise than asked for";
        break;
      case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP: break;
      default: return "sums of other terms than the products";  // Winograd's and Fourier's, and what is to come
    }
  }
  for (const auto note : behaviour) {
    if (note != CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API) return "compiled at run time, or of other layouts";
  }
  return nullptr;
}

bool is_denied(const Rules& rules, Direction direction, int64_t engine, size_t cudnn_version) {
  return std::any_of(rules.denied.begin(), rules.denied.end(), [&](const Denied& denied) {
    return denied.direction == direction && denied.engine == engine && denied.from <= cudnn_version &&
           cudnn_version < denied.below;
  });
}

bool is_known(const Rules& rules, const Problem& problem, int64_t engine) {
  if (problem.direction != Direction::grad_weight || problem.arithmetic != Arithmetic::float32) return true;
  const auto& known = rules.float32_grad_weight;
  return known.empty() || std::find(known.begin(), known.end(), engine) != known.end();
}

}  // namespace ntq::cudnn
