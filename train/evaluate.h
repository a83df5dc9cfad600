#pragma once
// Loss and accuracy over a data set.
#include <functional>
#include <string>

#include "data/loader.h"
#include "engine/module.h"

namespace ntq {

/// Sums over images, filled batch by batch.
struct Scores {
  double loss_sum = 0;
  int64_t top1 = 0, top5 = 0, images = 0;
  std::string arithmetic = {};  ///< what computed the logits: as_deployed(); "" where there was no image

  double loss() const { return images == 0 ? 0 : loss_sum / static_cast<double>(images); }
  double top1_percent() const { return percent(top1); }
  double top5_percent() const { return percent(top5); }

 private:
  double percent(int64_t count) const {
    return images == 0 ? 0 : 100.0 * static_cast<double>(count) / static_cast<double>(images);
  }
};

/// Called after each batch with (batches done, batches); false stops.
using BatchHook = std::function<bool(int64_t, int64_t)>;
/// Called with the logits {n,classes} and labels {n} of each batch.
using LogitsHook = std::function<void(const Tensor&, const Tensor&)>;

/// The model in evaluation mode, without gradients; one with quantizers as it is deployed (as_deployed()): then the
/// logits are those of a packed file of it. Its mode comes back after. Stops early when `hook` says so: then
/// scores.images is less than the data set's size.
Scores evaluate(Module& model, DataLoader& loader, const BatchHook& hook = {}, const LogitsHook& logits_hook = {});

}  // namespace ntq
