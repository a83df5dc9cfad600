#pragma once
// The quantizers of a whole model: what a training step and calibration have to tell and ask them.
#include <functional>
#include <vector>

#include "quant/quantizer.h"

namespace ntq {

/// Each once, in the model's order.
std::vector<Quantizer*> quantizers_of(Module& model);

// A training step calls, in this order: set_progress, set_rate, the forward pass, loss + quant_penalty, backward, the
// optimizer, count_optimizer_step.
/// Tells each quantizer the place of its layer ("<layer>.weight_quant" and "<layer>.input_quant" share one) and how
/// much of the training is done, in [0, 1]. Parameters that a method holds still need no gradient until it lets go.
void set_progress(Module& model, double fraction);
/// Throws std::invalid_argument for a rate that is negative and for a share out of [0, 1].
void set_rate(Module& model, const LearningRate& rate);
/// The sum of all penalties, {1}, to be added to the loss; undefined without any.
Tensor quant_penalty(Module& model);
/// The next draws are new ones. Without it every forward pass gets the same noise; so do the passes between two calls.
void count_optimizer_step(Module& model);

/// Sets the first values of the quantizers that are not ready: run_batches() runs some batches through the model in
/// evaluation mode, as often as the method with the most passes needs.
void calibrate(Module& model, const std::function<void()>& run_batches);

}  // namespace ntq
