#pragma once
// Modules one after another.
#include <initializer_list>
#include <memory>
#include <vector>

#include "engine/module.h"

namespace ntq {

/// Children are named "0", "1", ... in order. Empty: the identity.
class Sequential : public Module {
 public:
  Sequential() = default;
  Sequential(std::initializer_list<std::shared_ptr<Module>> modules);
  /// Appends one; throws std::invalid_argument for null.
  void append(std::shared_ptr<Module> module);
  Tensor forward(const Tensor& x) override;
  size_t size() const { return modules_.size(); }

 private:
  std::vector<std::shared_ptr<Module>> modules_;
};

}  // namespace ntq
