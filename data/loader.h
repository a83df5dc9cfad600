#pragma once
// DataLoader: shuffles, augments and normalises ahead of training on worker threads.
#include <functional>
#include <memory>
#include <optional>

#include "data/batch.h"
#include "data/dataset.h"

namespace ntq {

/// Waiting for a batch was given up because LoaderOptions::interrupted said so. Exit code 130.
struct LoadInterrupted : Error {
  LoadInterrupted() : Error("interrupted while waiting for data", 130) {}
};

struct LoaderOptions {
  int64_t batch_size = 128;
  int workers = 1;  ///< threads; 0: load within next()
  bool shuffle = true;
  bool augment = true;  ///< crop out of a zero padding of `pad` pixels, mirror half the time
  int pad = 4;
  bool drop_last = true;  ///< leave out the last, smaller batch
  uint64_t seed = 0;
  int prefetch = 4;  ///< batches ready ahead of time
  /// Where next() leaves batches. Other than the CPU: a data set in memory is kept there, if it takes no more than a
  /// quarter of what is free, and batches are made of it there, to the same bits and without workers; those of workers
  /// are copied there while it computes. Nothing waits for the device.
  Device device = {};
  int64_t max_bad = 0;  ///< images that cannot be decoded and may be left out of their batches
  /// Asked about ten times a second while next() waits for a worker; true: it throws LoadInterrupted. The loader's end
  /// then leaves behind workers that do not come back within a second (a file system that hangs).
  std::function<bool()> interrupted = {};
};

/// The same for validation: every image, in order, unchanged.
inline LoaderOptions in_order(LoaderOptions options) {
  options.shuffle = options.augment = options.drop_last = false;
  return options;
}

/// The data of an epoch depend on (seed, epoch, index) alone, never on the number of workers. For one calling thread.
class DataLoader {
 public:
  /// Throws std::invalid_argument for options that make no sense or leave no batch at all.
  DataLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);
  ~DataLoader();
  int64_t batches_per_epoch() const;
  /// Threads that load.
  int64_t workers() const;
  /// Begins `epoch` at batch `first_batch` (for a resume), dropping what is left of the one before. Call it first.
  void start(int64_t epoch, int64_t first_batch = 0);
  /// The next batch; nothing at the end of the epoch. Images that cannot be decoded are left out: the batch is smaller,
  /// or has none at all. A worker's exception is rethrown here, in order; the call after it gives the batch after.
  /// Throws DataError when more than max_bad images were bad, and LoadInterrupted.
  std::optional<Batch> next();
  /// What was wrong with each image left out so far, in the order of the batches, each image once.
  const std::vector<std::string>& bad_images() const;
  /// Seconds that next() has waited for data since start().
  double wait_seconds() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // workers that hang keep it
};

}  // namespace ntq
