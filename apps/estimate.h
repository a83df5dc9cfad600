#pragma once
// How long a stage will take and how much memory, from a few steps.
#include <string>

#include <nlohmann/json_fwd.hpp>
#include "apps/session.h"

namespace ntq::apps {

struct Estimate {
  int64_t epochs = 0, steps_per_epoch = 0, validation_batches = 0;
  double step_seconds = 0, validation_batch_seconds = 0;
  int64_t memory_bytes = 0;  ///< most of the process until then; 0: the system does not say
  int64_t kept_bytes = 0;    ///< of them for a copy of the session, which a run has only if it makes an estimate too

  double epoch_seconds() const {
    return static_cast<double>(steps_per_epoch) * step_seconds +
           static_cast<double>(validation_batches) * validation_batch_seconds;
  }
  double total_seconds() const { return static_cast<double>(epochs) * epoch_seconds(); }
  /// "0.52s a step, 3m30s an epoch of 390 steps, 5h50m for 100 epochs, 1.2 GB of memory".
  std::string str() const;
  nlohmann::ordered_json json() const;
};

/// What the loader of the training images gives on its own, with the options' workers.
struct DataRate {
  double images_per_s = 0;
  int64_t workers = 0;  ///< 0: it needs none
};
/// Loads for about two seconds, or one epoch when that is shorter.
DataRate measure_data_rate(const Session& session);
/// "data: 540 images/s with 2 workers, the model takes 31: the model is the bottleneck".
std::string bottleneck_text(const DataRate& rate, double model_images_per_s);

/// Takes a first step to warm up and times the second (and third, when they are short), and one validation batch, in
/// the arithmetic that evaluate() takes. The session is as before afterwards.
Estimate estimate_stage(Session& session);

}  // namespace ntq::apps
