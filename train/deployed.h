#pragma once
// Networks as they are deployed: the arithmetic of a shipped file in place of that of training.
#include <memory>
#include <optional>
#include <string>

#include "engine/module.h"
#include "infer/model.h"

namespace ntq {

/// The CPU backend's threads, for a workspace.
infer::ParallelFor cpu_parallel();

/// A deploy graph as a module, so that it is evaluated as any network is. Images {N,H,W,C} in, normalised; logits
/// {N,classes} out as infer::Model computes them, on the CPU backend's threads. Has no parameters and no gradient.
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

/// What evaluates a network in place of itself.
struct AsDeployed {
  std::unique_ptr<Deployed> network;  ///< null: the network evaluates itself
  std::string arithmetic;             ///< "20 layers in integers", "float32 (full precision)"
};
/// A network with quantizers, its parameters in the host's memory, as lower() has it for images {N,H,W,C} of this
/// shape; null for others, and where it cannot be deployed: `arithmetic` says why.
AsDeployed as_deployed(Module& model, const Shape& images);

}  // namespace ntq
