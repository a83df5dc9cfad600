#pragma once
// Checkpoints of ntq-train: those of train/checkpoint.h with the options and the data of the run in the metadata.
// Nothing in them depends on the time, a path or the number of threads: equal runs give equal bytes.
#include <string>

#include "apps/session.h"
#include "train/checkpoint.h"

namespace ntq::apps {

struct RunCheckpoint : Checkpoint {
  TrainConfig config = {};  ///< recipe options as they were; run options at their defaults
  int64_t classes = 0, channels = 0;
};

/// Whether ntq-train wrote the file: with train/ alone a fork writes checkpoints that know nothing of its options.
bool is_of_run(const TensorFile& file);
/// Throws CheckpointError: damaged, not ours, of a newer format.
RunCheckpoint load_run_checkpoint(const std::string& path);
/// The same for a file that is in memory already; `path` stands for it in errors.
RunCheckpoint read_run_checkpoint(TensorFile file, const std::string& path);

void save_run(const std::string& path, const Session& session);
/// Puts a run back to where the checkpoint was written. Throws CheckpointError, naming the first difference, when it
/// is of another recipe, model or data; the session is unusable then. `allow_data_change`: goes on with other data.
/// Gives a line when they are others or nothing is known of them, else "".
std::string restore_run(Session& session, const std::string& path, bool allow_data_change = false);
/// Which weights of a checkpoint are meant: where there is an average, it chose the best epoch, so it is taken unless
/// the weights themselves are asked for. Throws UsageError for both wishes, CheckpointError for an average that the
/// checkpoint does not have.
enum class Weighting { automatic, average, raw };
bool takes_average(const Checkpoint& checkpoint, const std::string& path, Weighting wish);
Weighting parse_weighting(bool average, bool raw);
/// "averaged weights; --raw for the weights themselves", "the weights themselves, not their average"; "" when the
/// checkpoint has no average.
std::string weighting_text(const Checkpoint& checkpoint, bool average);

/// The model of a checkpoint with its weights (or with their average), ready for evaluation. Throws CheckpointError,
/// before anything large is built, when the tensors are not those of the model.
std::shared_ptr<Module> model_of(const RunCheckpoint& checkpoint, const std::string& path, bool average);

}  // namespace ntq::apps
