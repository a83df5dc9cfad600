#pragma once
// Stochastic gradient descent with momentum and parameter groups.
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "engine/module.h"

namespace ntq {

struct SgdOptions {
  float momentum = 0.9f;
  float weight_decay = 1e-4f;
  bool nesterov = false;
};

/// Settings of the parameters that a group holds, on top of SgdOptions.
struct ParamGroup {
  std::string name{};
  std::function<bool(const std::string& parameter)> holds{};  ///< the first group that says yes takes the parameter
  float lr_scale = 1.0f;
  float weight_decay_scale = 1.0f;
  /// Lower bound of the values after each update; values that are not finite stay, to be found.
  float floor = -std::numeric_limits<float>::infinity();
};

/// The default: quantizer steps (last part of the name "step") without decay and kept above 1e-8, all else as given.
std::vector<ParamGroup> default_groups();
/// The same, with biases and batch norm parameters (one-axis tensors) free of decay too; `model` tells which they are.
std::vector<ParamGroup> no_decay_on_vectors(const Module& model);

/// g += weight_decay * w; m = momentum * m + g (m starts at 0); w -= lr * (nesterov ? g + momentum * m : m).
class Sgd {
 public:
  /// Throws std::invalid_argument for settings out of range, a tensor given twice or one that no group takes.
  Sgd(const NamedTensors& parameters, const SgdOptions& options, std::vector<ParamGroup> groups = default_groups());
  /// Updates every parameter that has a gradient; lr >= 0 and finite.
  void step(float lr);
  void zero_grad();
  /// Momentum buffers by parameter name, sharing memory.
  NamedTensors state_dict() const;
  /// Errors as copy_by_name().
  void load_state_dict(const NamedTensors& state);
  /// Name of the group that took the parameter; throws std::invalid_argument when there is no such parameter.
  const std::string& group_of(const std::string& parameter) const;

 private:
  struct Slot {
    std::string name;
    Tensor value, momentum;
    size_t group;
  };
  SgdOptions options_;
  std::vector<ParamGroup> groups_;
  std::vector<Slot> slots_;
};

}  // namespace ntq
