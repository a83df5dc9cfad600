#pragma once
// Run folders: runs/<dataset>-<model>-w4a4-ntq[-N]/ with config.json, metrics.*, last.bin, best.bin, log.txt, and
// result.json once the run is done. A run that starts from another one's weights names that run in pretrain.json.
#include <optional>
#include <string>
#include <vector>

#include "apps/data_record.h"

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
/// The same for the stage before `run`, whose pretrain.json names it before it is made: whenever the program is
/// killed, no stage is left that nobody waits for.
RunFolder create_stage(const TrainConfig& config, const RunFolder& run);
/// Writes config.json anew where the options that the run goes on with are others (another --data-dir): the next
/// --resume finds the same.
void keep_options(const RunFolder& run, const TrainConfig& config);
/// Writes device.txt: what the run computes on from here, which decides its bits beside the recipe and the data. Gives
/// what stood there, where that is another text; else "".
std::string keep_device(const RunFolder& run, const std::string& device);
/// The options that the run was started with; run options that this machine does not take at their defaults. Throws
/// CheckpointError when there is no readable config.json.
TrainConfig read_run_config(const RunFolder& run);
/// Folders below `output` that hold a config.json, newest first.
std::vector<RunFolder> list_runs(const std::string& output);

/// A finished run of the same recipe and the same training data, and why others of the recipe were passed over. None
/// where the recipe starts from a file of the user's (--init).
struct FinishedRun {
  std::optional<RunFolder> run;
  std::vector<std::string> passed_over;
};
FinishedRun find_finished(const TrainConfig& config, const DataRecord& data);
/// Whether the recipe stays as it is with the values of `given` (keys of a config file).
bool agrees(const TrainConfig& config, const nlohmann::ordered_json& given);
/// The newest unfinished run whose config agrees with `given`.
std::optional<RunFolder> find_unfinished(const std::string& output, const nlohmann::ordered_json& given);
/// The unfinished run that waits for the stage `run`, that which waits for this one, and so on; else `run` itself.
RunFolder waiting_for(RunFolder run);
/// The run named in pretrain.json, beside `run`; nothing when there is none. Throws CheckpointError for a name that
/// leads elsewhere.
std::optional<RunFolder> stage_before(const RunFolder& run);
void set_stage_before(const RunFolder& run, const RunFolder& stage);

/// Held while a run, or a folder of runs, is being written; the system drops it when the process ends. Throws
/// CheckpointError, saying `held`, when another process holds it.
class RunLock {
 public:
  explicit RunLock(const RunFolder& run,
                   const std::string& held = "another ntq-train is writing this run; wait for it, or start a new run");
  /// Why the run could not be locked (a file system without locks); "" when it is.
  const std::string& missing() const { return missing_; }
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int file_;
  std::string missing_;
};

}  // namespace ntq::apps
