#pragma once
// What a network takes from batches without learning: first quantizer steps, and batch-norm statistics.
#include "data/loader.h"
#include "engine/module.h"

namespace ntq {

/// Sets the steps of the quantizers that have none yet from the first `batches` batches of epoch 0, each normalised by
/// its own statistics, as in the first training step; the running statistics stay as they are. Throws DivergedError,
/// naming the layer, for activations that are not finite. False: nothing depends on the batches
/// (calibrate()).
bool calibrate_steps(Module& model, DataLoader& loader, int64_t batches = 1, DType activations = DType::f32);

/// Batch-norm statistics anew: the mean over the first `batches` batches of epoch 0 of the statistics of each, with the
/// quantizers as in evaluation, in float32 as there. Changes nothing that training depends on.
void recalibrate_norms(Module& model, DataLoader& loader, int64_t batches);

/// All quantizers of the model on or off: off, its layers compute in full precision.
void enable_quantizers(Module& model, bool on);

}  // namespace ntq
