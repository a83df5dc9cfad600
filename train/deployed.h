#pragma once
// A deploy graph as a module, so that it is evaluated as any network is.
#include <optional>

#include "engine/module.h"
#include "infer/model.h"

namespace ntq {

/// Images {N,H,W,C} in, normalised; logits {N,classes} out as infer::Model computes them, on the CPU backend's threads.
/// Has no parameters and no gradient.
class Deployed : public Module {
 public:
  explicit Deployed(infer::Model model) : model_(std::move(model)) {}
  Tensor forward(const Tensor& images) override;
  const infer::Model& model() const { return model_; }

 private:
  infer::Model model_;
  std::optional<infer::Workspace> work_;  // for so many images and threads
  int64_t batch_ = 0;
  int threads_ = 0;
};

}  // namespace ntq
