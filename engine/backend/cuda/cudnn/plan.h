#pragma once
// One way to compute a convolution, as cuDNN has it ready to run, and the choice among those that it offers.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend/cuda/cudnn/descriptor.h"
#include "engine/backend/cuda/cudnn/problem.h"
#include "engine/backend/cuda/cudnn/rules.h"

namespace ntq::cudnn {

/// The GPU that plans are for: the one of a handle, or a described one, whose plans can be looked at but not run.
struct Gpu {
  cudnnHandle_t handle = nullptr;  ///< stays the caller's
  std::optional<Descriptor> properties = {};
  std::string name = {};  ///< "NVIDIA H100 80GB HBM3"; for files of plans
};
/// `json`: a device's properties as cuDNN (9.8 and later) writes them. Throws Error for what it does not accept.
Gpu described_gpu(const std::string& json);

/// cudnnBackendKnobType_t and the choice, of each.
using Knobs = std::vector<std::pair<int64_t, int64_t>>;

struct Plan {
  Descriptor config, ready;  ///< the engine with its settings; what cudnnBackendExecute() runs
  int64_t engine = -1;       ///< its number among those of the direction
  Knobs knobs;
  std::vector<cudnnBackendNumericalNote_t> notes;
  int64_t workspace = 0;  ///< bytes
  bool fallback = false;  ///< from the list of those that always work, not of those that should be fast
  /// "engine 62, knobs 2=13 14=4, workspace 8650752, notes tensor_core".
  std::string describe() const;
};

/// The first that cuDNN's heuristics give, those that should be fast before those that always work, that the rules
/// allow. Throws Error, of what was offered and why none was taken.
Plan choose_plan(const Problem& problem, const Gpu& gpu, const Rules& rules);

/// All that the rules allow within `timed_workspace`, each once, in the order in which they are offered: at most 24,
/// none where there is none.
std::vector<Plan> candidates(const Problem& problem, const Gpu& gpu, const Rules& rules);
/// That of an engine and its knobs, whatever workspace it takes. Throws Error where cuDNN or the rules refuse it.
Plan plan_with(const Problem& problem, const Gpu& gpu, const Rules& rules, int64_t engine, const Knobs& knobs);

}  // namespace ntq::cudnn
