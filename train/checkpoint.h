#pragma once
// Checkpoints: model tensors by name, the optimizer's state under "optim.", the weight average under "ema.", what the
// statistics of the weights carry on under "stats.", progress and what the caller wants in the metadata. Equal
// trainings give equal bytes.
#include <map>
#include <string>

#include "engine/serialize.h"
#include "train/training.h"

namespace ntq {

using Metadata = std::map<std::string, std::string>;

constexpr int kCheckpointFormat = 1;

struct Checkpoint {
  Progress progress;
  int64_t ema_updates = 0;
  TensorFile file;
  NamedTensors model, optimizer, ema, statistics;  ///< without their prefixes

  bool has_ema() const { return !ema.empty(); }
};

/// `metadata`: entries of the caller's, besides those of the progress ("ntq.epoch", ...). The tensors share memory.
TensorFile checkpoint_file(const Training& training, const Metadata& metadata = {});
void save_checkpoint(const std::string& path, const Training& training, const Metadata& metadata = {});

/// Whether the file is ours at all (safetensors files of others have no "ntq.format").
bool is_checkpoint(const TensorFile& file);
/// Throws CheckpointError: damaged, not ours, of a newer format.
Checkpoint load_checkpoint(const std::string& path);
/// The same for a file that is in memory already; `path` stands for it in errors.
Checkpoint read_checkpoint(TensorFile file, const std::string& path);

/// Puts a training back to where the checkpoint was written. Throws CheckpointError, naming the first difference, when
/// it is of another model or optimizer, or holds values that no training leaves; the training is unusable then.
void restore(Training& training, const Checkpoint& checkpoint, const std::string& path);
/// Goes on from the checkpoint at `path`; false, and nothing is changed, where there is no such file. Errors as
/// load_checkpoint() and restore().
bool resume(Training& training, const std::string& path);
/// Only the model's tensors, or their average.
void load_model(Module& model, const Checkpoint& checkpoint, const std::string& path, bool average = false);

/// An entry of the metadata; CheckpointError, naming file and entry, where it is missing or out of range.
const std::string& metadata_text(const Metadata& metadata, const std::string& key, const std::string& path);
int64_t metadata_integer(const Metadata& metadata, const std::string& key, const std::string& path, int64_t low,
                         int64_t high);

}  // namespace ntq
