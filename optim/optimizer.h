#pragma once
// Optimizer: what turns gradients into updates. One file for each kind.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/module.h"

namespace ntq {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates every parameter that has a gradient, as its traits say; lr >= 0 and finite.
  virtual void step(float lr) = 0;
  virtual void zero_grad() = 0;
  /// What a resumed run needs beside the parameters, by name, sharing memory.
  virtual NamedTensors state_dict() const = 0;
  /// Errors as copy_by_name().
  void load_state_dict(const NamedTensors& state);

 protected:
  Optimizer() = default;
};

/// Several optimizers, each with the parameters whose traits name it. State: the main one's as it is, the others'
/// behind their name and a dot.
class OptimizerSet : public Optimizer {
 public:
  /// `others`: by the name in ParamTraits::optimizer. Throws std::invalid_argument for a null one.
  OptimizerSet(std::unique_ptr<Optimizer> main, std::map<std::string, std::unique_ptr<Optimizer>> others);
  void step(float lr) override;
  void zero_grad() override;
  NamedTensors state_dict() const override;

 private:
  std::unique_ptr<Optimizer> main_;
  std::map<std::string, std::unique_ptr<Optimizer>> others_;
};

/// Throws std::invalid_argument where a model was moved to another device after `state` was made for `value`.
void check_same_device(const char* who, const std::string& name, const Tensor& value, const Tensor& state);
/// Finite and at least 0: what a rate has to be.
bool not_negative(float value);
/// Those of `parameters` whose traits name this optimizer.
std::vector<Parameter> parameters_of(const std::vector<Parameter>& parameters, const std::string& optimizer);
/// The same parameters, those of one axis (biases, batch norm) without weight decay.
std::vector<Parameter> without_decay_on_vectors(std::vector<Parameter> parameters);
/// Throws std::invalid_argument, beginning with `who`, for a parameter that is not float32, given twice, of a taken
/// name or with traits out of range.
void check_parameters(const char* who, const std::vector<Parameter>& parameters);

}  // namespace ntq
