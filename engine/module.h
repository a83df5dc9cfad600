#pragma once
// Module: something with named parameters, buffers and children, and a forward pass.
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace ntq {

/// Name -> tensor in registration order; the names are those of PyTorch's ResNets ("layer1.0.conv1.weight").
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// What an optimizer has to know of a parameter; its owner says so, nothing is guessed from a name.
struct ParamTraits {
  bool decay = true;      ///< weight decay pulls at it
  float lr_scale = 1.0f;  ///< factor on the learning rate, >= 0
  /// Lower bound of the values after each update; values that are not finite stay, to be found.
  float floor = -std::numeric_limits<float>::infinity();
  /// Factor, > 1, by which an update may change a value above 0 at most (SgdUpdate); infinity: any.
  float most_change = std::numeric_limits<float>::infinity();
  std::string optimizer = {};  ///< which one of several takes it (OptimizerSet); "": the main one
};

struct Parameter {
  std::string name;
  Tensor value;
  ParamTraits traits = {};
};

/// Copies the values of `source` into the memory of `target`, by name, on whatever devices they are. Throws
/// std::invalid_argument that starts with `where` and names the first tensor that is missing, left over, given twice or
/// of another shape or type; nothing is changed then.
void copy_by_name(const std::string& where, const NamedTensors& target, const NamedTensors& source);

class Module {
 public:
  virtual ~Module() = default;
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) { return forward(x); }

  /// Trained tensors, with dotted names, own ones before the children's. A tensor that two modules share appears once,
  /// under its first name and with the traits given there.
  std::vector<Parameter> parameters() const;
  /// The same without traits.
  NamedTensors named_parameters() const;
  /// Saved but not trained: running statistics, counters.
  NamedTensors named_buffers() const;
  /// Parameters and buffers: what a checkpoint holds. The tensors share memory with the module.
  NamedTensors state_dict() const;
  /// Copies values by name into the module's own memory, so that optimizers and averages keep seeing them. Errors as
  /// copy_by_name(): nothing is changed then. Afterwards every module below is told (state_loaded()).
  void load_state_dict(const NamedTensors& state);
  /// Moves parameters, their gradients and float buffers to a device, in place: every handle sees it. Whole numbers
  /// (counters) stay with the host. Optimizers and averages are made afterwards; they refuse to go on otherwise. When
  /// it throws, nothing has moved.
  void to(Device device);
  /// Calls visit(dotted name, module) for this module ("") and all below it.
  void visit(const std::function<void(const std::string&, Module&)>& visitor);

  /// Switches training behaviour (batch statistics, quantization noise) for this module and all below.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  int64_t parameter_count() const;

 protected:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Called when load_state_dict() has changed the tensors: what a module knows of their values is out of date.
  virtual void state_loaded() {}
  // Names: not empty and not taken in this module, else std::invalid_argument.
  /// Returns the tensor, which from now on requires a gradient.
  Tensor register_parameter(const std::string& name, Tensor value, ParamTraits traits = {});
  Tensor register_buffer(const std::string& name, Tensor value);
  template <class M>
  std::shared_ptr<M> register_module(const std::string& name, std::shared_ptr<M> child) {
    add_child(name, child);
    return child;
  }

 private:
  void check_name(const std::string& name) const;
  void add_child(const std::string& name, std::shared_ptr<Module> child);
  void visit_as(const std::string& name, const std::function<void(const std::string&, Module&)>& visitor);
  void collect_parameters(const std::string& prefix, std::vector<Parameter>& out) const;
  void collect_buffers(const std::string& prefix, NamedTensors& out) const;

  std::vector<Parameter> parameters_;
  NamedTensors buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

}  // namespace ntq
