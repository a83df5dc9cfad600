#pragma once
// The loss of a network over a data set, as a function of its trained parameters.
#include "analyze/objective.h"
#include "analyze/restored.h"
#include "train/step.h"

namespace ntq {

/// What is moved in a quantized network. In full precision both are the same.
enum class Where {
  master,     ///< all trained parameters, steps too; the loss goes through Q, its gradient straight through
  effective,  ///< the weights as quantized: Q(w) + e without the weights' quantizers, all steps fixed
};

/// Called after each batch with (batches done, batches) of the pass over the data; it may throw to stop all.
using PassHook = std::function<void(int64_t, int64_t)>;

struct ModelLossOptions {
  Where where = Where::master;
  LossFn loss = cross_entropy();
  PassHook hook = {};
};

/// The network in evaluation mode, its mean loss over the loader's images in their order: sums over batches in float64,
/// so the same for any number of threads. Values are put no lower than their parameters' floors (a step stays above 0).
/// Afterwards the model is as it was. Throws std::invalid_argument where a quantizer is not ready.
class ModelLoss {
 public:
  ModelLoss(Module& model, DataLoader& loader, ModelLossOptions options);
  /// Valid while this lives.
  const Objective& objective() const { return objective_; }

 private:
  double evaluate(const std::vector<float>& w, std::vector<double>* gradient);

  Restored restored_;
  Module& model_;
  DataLoader& loader_;
  ModelLossOptions options_;
  std::vector<Parameter> moved_;
  Objective objective_;
};

/// Calls see(batch) for each batch that has images, in the loader's order, on the model's device; gives the number of
/// images, which is above 0: throws DataError otherwise.
int64_t each_batch(const Module& model, DataLoader& loader, const PassHook& hook,
                   const std::function<void(const Batch&)>& see);

/// Sets the part of `all` that a parameter has, or adds `factor` times its gradient, if it has one.
void set_values(const Parameter& parameter, const std::vector<float>& all, int64_t begin);
void add_gradient(const Parameter& parameter, double factor, std::vector<double>& all, int64_t begin);

}  // namespace ntq
