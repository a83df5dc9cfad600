#include "engine/backend/cuda/cudnn/plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "engine/backend/cuda/cudnn/graph.h"

namespace ntq::cudnn {
namespace {

/// Each costs a few calls where plans are chosen by time.
constexpr size_t kMostCandidates = 24;

std::vector<Descriptor> offered(const Descriptor& graph, cudnnBackendHeurMode_t mode, const Gpu& gpu) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (gpu.properties) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *gpu.properties);
  // Where no engine at all computes this, cuDNN refuses here or gives an empty list.
  if (heuristics.try_finalize() != CUDNN_STATUS_SUCCESS) return {};
  return heuristics.parts(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
}

Knobs knobs_of(const Descriptor& config) {
  Knobs knobs;
  for (const Descriptor& choice :  // whose number cuDNN gives as 0 where it is asked for that alone
       config.parts(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS)) {
    knobs.emplace_back(choice.all<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE).at(0),
                       choice.number(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  }
  return knobs;
}

/// Tries what is offered; what is refused is counted by its reason.
class Choice {
 public:
  Choice(const Problem& problem, const Gpu& gpu, const Rules& rules) : problem_(problem), gpu_(gpu), rules_(rules) {}

  /// The plan of a configuration, if the rules allow its engine.
  std::optional<Plan> plan_of(Descriptor config) {
    const std::vector<Descriptor> engines = config.parts(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    const Descriptor& engine = engines.at(0);
    const int64_t number = engine.number(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
    if (is_denied(rules_, problem_.direction, number, cudnnGetVersion()) || !is_known(rules_, problem_, number))
      return refuse("denied");
    auto notes = engine.all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE);
    const auto behaviour = engine.all<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE);
    if (const char* const reason = why_not(problem_.arithmetic, notes, behaviour)) return refuse(reason);
    Descriptor ready(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    ready.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
    if (gpu_.properties) ready.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *gpu_.properties);
    if (gpu_.handle != nullptr) ready.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, gpu_.handle);
    if (ready.try_finalize() != CUDNN_STATUS_SUCCESS) return refuse("not for this GPU");
    const int64_t workspace = ready.number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    auto knobs = knobs_of(config);
    return Plan{std::move(config), std::move(ready), number, std::move(knobs), std::move(notes), workspace};
  }

  /// "12 not deterministic, 3 denied".
  std::string refused() const {
    std::string text;
    for (const auto& [reason, count] : refused_) {
      text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + reason;
    }
    return text.empty() ? "none was offered" : text;
  }

 private:
  std::nullopt_t refuse(const std::string& reason) {
    ++refused_[reason];
    return std::nullopt;
  }

  const Problem& problem_;
  const Gpu& gpu_;
  const Rules& rules_;
  std::map<std::string, int> refused_;
};

const char* name_of(cudnnBackendNumericalNote_t note) {
  switch (note) {
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE: return "tensor_core";
    case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP: return "strict_nan";
    default: return "other";
  }
}

}  // namespace

Gpu described_gpu(const std::string& json) {
  Descriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(json)).finalize();
  return {.properties = std::move(properties)};
}

std::string Plan::describe() const {
  std::ostringstream out;
  out << "engine " << engine << ", knobs";
  for (const auto& [knob, value] : knobs) out << " " << knob << "=" << value;
  out << ", workspace " << workspace;
  if (!notes.empty()) out << ", notes";
  for (const auto note : notes) out << " " << name_of(note);
  if (fallback) out << ", fallback";
  return out.str();
}

Plan choose_plan(const Problem& problem, const Gpu& gpu, const Rules& rules) {
  const Descriptor graph = convolution_graph(problem, gpu.handle);
  Choice choice(problem, gpu, rules);
  std::optional<Plan> least;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (Descriptor& config : offered(graph, mode, gpu)) {
      std::optional<Plan> plan = choice.plan_of(std::move(config));
      if (!plan) continue;
      plan->fallback = mode == CUDNN_HEUR_MODE_FALLBACK;
      if (plan->workspace <= rules.workspace) return std::move(*plan);
      if (!least || plan->workspace < least->workspace) least = std::move(plan);
    }
  }
  if (!least) throw Error("cuDNN " + version() + " has no plan for " + problem.describe() + ": " + choice.refused());
  return std::move(*least);
}

std::vector<Plan> candidates(const Problem& problem, const Gpu& gpu, const Rules& rules) {
  const Descriptor graph = convolution_graph(problem, gpu.handle);
  Choice choice(problem, gpu, rules);
  std::vector<Plan> all;
  std::set<std::pair<int64_t, Knobs>> seen;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (Descriptor& config : offered(graph, mode, gpu)) {
      if (all.size() >= kMostCandidates) return all;
      std::optional<Plan> plan = choice.plan_of(std::move(config));
      if (!plan || plan->workspace > rules.workspace) continue;
      plan->fallback = mode == CUDNN_HEUR_MODE_FALLBACK;
      if (seen.emplace(plan->engine, plan->knobs).second) all.push_back(std::move(*plan));
    }
  }
  return all;
}

Plan plan_with(const Problem& problem, const Gpu& gpu, const Rules& rules, int64_t number, const Knobs& knobs) {
  const Descriptor graph = convolution_graph(problem, gpu.handle);
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR), config(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph).set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, number);
  if (gpu.properties) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, *gpu.properties);
  engine.finalize();
  config.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  std::vector<Descriptor> choices;
  for (const auto& [knob, value] : knobs) {
    choices.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR)
        .set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, static_cast<cudnnBackendKnobType_t>(knob))
        .set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value)
        .finalize();
  }
  if (!choices.empty()) config.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, choices);
  config.finalize();
  Choice choice(problem, gpu, rules);
  std::optional<Plan> plan = choice.plan_of(std::move(config));
  if (!plan) throw Error("engine " + std::to_string(number) + ", " + problem.describe() + ": " + choice.refused());
  return std::move(*plan);
}

}  // namespace ntq::cudnn
