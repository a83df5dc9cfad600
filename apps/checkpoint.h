#pragma once
// Checkpoints: model tensors by name, momentum under "optim.", weight average under "ema.", all else in the metadata.
// Nothing in them depends on the time, a path or the number of threads: equal runs give equal bytes.
#include <string>

#include "apps/session.h"
#include "engine/serialize.h"

namespace ntq::apps {

constexpr int kCheckpointFormat = 1;

/// What a checkpoint says of itself.
struct CheckpointInfo {
  TrainConfig config;  ///< recipe options as they were; run options at their defaults
  int64_t classes = 0, channels = 0;
  Progress progress;
  int64_t ema_updates = 0;
};

struct Checkpoint {
  CheckpointInfo info;
  TensorFile file;
  NamedTensors model, optimizer, ema;  ///< without their prefixes

  bool has_ema() const { return !ema.empty(); }
};

/// Throws CheckpointError: damaged, not ours, of a newer format.
Checkpoint load_checkpoint(const std::string& path);
/// The same for a file that is in memory already; `path` stands for it in errors.
Checkpoint read_checkpoint(TensorFile file, const std::string& path);
/// Whether the file is ours at all (safetensors files of others have no "ntq.format").
bool is_ntq_checkpoint(const TensorFile& file);
CheckpointInfo read_info(const TensorFile& file, const std::string& path);

void save_checkpoint(const std::string& path, const Session& session);
/// Puts a run back to where the checkpoint was written. Throws CheckpointError, naming the first difference, when it
/// is of another recipe or model; the session is unusable then.
void restore(Session& session, const std::string& path);
/// The model of a checkpoint with its weights (or with their average), ready for evaluation.
std::shared_ptr<Module> model_of(const Checkpoint& checkpoint, const std::string& path, bool average);

}  // namespace ntq::apps
