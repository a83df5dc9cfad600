#pragma once
// The quantizers of a whole model: what a training step and calibration have to tell and ask them.
#include <functional>
#include <string>
#include <vector>

#include "quant/quantizer.h"

namespace ntq {

/// Each once, in the model's order. Gathered once for many steps: valid while no module comes or goes.
class Quantizers {
 public:
  /// Implicit, so that what is asked once may be asked of the model.
  Quantizers(Module& model);
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  size_t size() const { return list_.size(); }
  /// Of quantizer i: "<layer>.weight_quant" and "<layer>.input_quant" share one; "...skip_quant", of a residual sum,
  /// has that of the layer before it.
  LayerPlace place(size_t i) const { return {layers_[i], layers_.back() + 1}; }
  Module& model() const { return *model_; }

 private:
  Module* model_;
  std::vector<Quantizer*> list_;
  std::vector<int64_t> layers_;
};

// A training step calls, in this order: set_progress, set_rate, the forward pass, loss + quant_penalty, backward, the
// optimizer, count_optimizer_step.
/// Tells each quantizer the place of its layer, and how much of the training is done, in [0, 1]. Parameters that a
/// method holds still need no gradient until it lets go.
void set_progress(const Quantizers& quantizers, double fraction);
/// Throws std::invalid_argument for a rate that is negative and for a share out of [0, 1].
void set_rate(const Quantizers& quantizers, const LearningRate& rate);
/// The sum of all penalties, {1}, to be added to the loss; undefined without any.
Tensor quant_penalty(const Quantizers& quantizers);
/// The next draws are new ones. Without it every forward pass gets the same noise; so do the passes between two calls.
void count_optimizer_step(const Quantizers& quantizers);

/// Methods that such a training does not count as, each with the reason of its first quantizer: none of theirs does
/// what the method is named for. "nice: 20 stages, ...".
std::vector<std::string> left_out(const Quantizers& quantizers, const TrainingPlan& plan);

/// Sets the first values of the quantizers that are not ready: run_batches() runs some batches through the model in
/// evaluation mode, as often as the method with the most passes needs. Gives whether inputs are among them: what
/// weights start from is the same for any batches.
bool calibrate(const Quantizers& quantizers, const std::function<void()>& run_batches);

/// Each takes over (Quantizer::take_over()) from the one of its name in `other`; names of those that have.
std::vector<std::string> take_over(const Quantizers& quantizers, Module& other);

}  // namespace ntq
