#pragma once
// A batch that a loader's workers make together.
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/ceil_div.h"
#include "data/batch.h"

namespace ntq {

/// What a worker needs to know of an epoch; shared, so that DataLoader::start() can replace it while workers still read
/// it.
struct Epoch {
  int64_t number = 0;
  std::vector<uint32_t> order;
};

/// A batch in the making: workers claim units of it.
struct Work {
  /// Samples that a worker takes at a time.
  static constexpr int64_t kUnit = 16;

  std::shared_ptr<const Epoch> epoch;
  int64_t first = 0, count = 0;  // samples of the epoch's order
  Batch batch;
  std::vector<std::string> faults;  // per sample; empty: none
  int64_t claimed = 0, left = 0;    // units
  bool ready = false;
  int64_t error_at = 0;  // the first sample with one
  std::exception_ptr error;

  int64_t units() const { return ceil_div(count, kUnit); }
  /// Moves the samples without a fault together.
  void leave_out_faults();
};

}  // namespace ntq
