#pragma once
// Run folders: runs/<dataset>-<model>-w4a4-ntq[-N]/ with config.json, metrics.*, last.bin, best.bin, log.txt, and
// result.json once the run is done. A run that starts from a full-precision stage names that run in pretrain.json.
#include <optional>
#include <string>
#include <vector>

#include "apps/config.h"

namespace ntq::apps {

struct RunFolder {
  std::string path;
  std::string file(const std::string& name) const { return path + "/" + name; }
  bool has(const std::string& name) const;
  bool finished() const { return has("result.json"); }
  /// Its last component.
  std::string name() const;
};

/// Makes output/run_name(config), or that with -2, -3, ...: never one that is there already. Writes config.json.
/// Throws CheckpointError when the place is not writable.
RunFolder create_run(const TrainConfig& config);
/// The options that the run was started with. Throws CheckpointError when there is no readable config.json.
TrainConfig read_run_config(const RunFolder& run);
/// Folders below `output` that hold a config.json, newest first.
std::vector<RunFolder> list_runs(const std::string& output);
/// A finished run of the same recipe.
std::optional<RunFolder> find_finished(const TrainConfig& config);
/// The newest unfinished run whose config has the values of `given` (keys of a config file).
std::optional<RunFolder> find_unfinished(const std::string& output, const nlohmann::ordered_json& given);
/// The unfinished run that waits for the full-precision stage `run`, else `run` itself.
RunFolder waiting_for(const RunFolder& run);
/// The run named in pretrain.json, beside `run`; nothing when there is none.
std::optional<RunFolder> pretrain_run(const RunFolder& run);
void set_pretrain_run(const RunFolder& run, const RunFolder& stage);

/// Held while a run is being written; the system drops it when the process ends. Throws CheckpointError when another
/// process holds it.
class RunLock {
 public:
  explicit RunLock(const RunFolder& run);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int file_;
};

}  // namespace ntq::apps
