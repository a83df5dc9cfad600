#include "apps/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "apps/config_quant.h"
#include "apps/json.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"
#include "base/text.h"
#include "engine/serialize.h"

namespace ntq::apps {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_create(const std::string& path, const std::error_code& error) {
  throw CheckpointError(
      concat(path, ": cannot create the run folder: ", error.message(), "; name a writable place with --output"));
}

Json read_json(const std::string& path) {
  try {
    return parse_json(read_text_file(path), path);
  } catch (const JsonError& e) {
    throw CheckpointError(e.what());
  }
}

/// When the run was last written.
fs::file_time_type age(const RunFolder& run) {
  std::error_code ignored;
  return fs::last_write_time(run.file(run.has("last.bin") ? "last.bin" : "config.json"), ignored);
}

std::string parent(const RunFolder& run) {
  const auto path = fs::path(run.path).parent_path();
  return path.empty() ? "." : path.string();
}

/// `base`, or the first of base-2, base-3, ... that is not there.
RunFolder free_name(const std::string& base) {
  RunFolder run{base};
  std::error_code unknown;
  for (int number = 2; fs::exists(fs::symlink_status(run.path, unknown)); ++number)
    run.path = concat(base, "-", number);
  return run;
}

/// Makes the folder of a run; false when somebody has made one of that name just now.
bool make_run(const RunFolder& run, const TrainConfig& config) {
  std::error_code error;
  if (!fs::create_directory(run.path, error)) {
    if (error) cannot_create(run.path, error);
    return false;
  }
  write_file_atomically(run.file("config.json"), config_to_json(config, JsonPart::all).dump(2) + "\n");
  return true;
}

/// The config of a run, or nothing: a folder that others have put there must not stop a search.
std::optional<TrainConfig> config_or_nothing(const RunFolder& run) {
  try {
    return read_run_config(run);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

/// Whether `other` has not started, as it waits for the stage `run`.
bool waits(const RunFolder& other, const RunFolder& run) {
  if (other.finished() || other.has("last.bin") || !other.has("pretrain.json")) return false;
  try {
    const auto stage = stage_before(other);
    return stage && stage->name() == run.name();
  } catch (const CheckpointError&) {
    return false;  // somebody else's damaged folder is not what was asked for
  }
}

}  // namespace

bool RunFolder::has(const std::string& name) const {
  std::error_code ignored;
  return fs::is_regular_file(file(name), ignored);
}

std::string RunFolder::name() const { return fs::path(path).filename().string(); }

RunFolder create_run(const TrainConfig& config) {
  std::error_code error;
  fs::create_directories(config.output, error);
  if (error) cannot_create(config.output, error);
  const std::string base = (fs::path(config.output) / run_name(config)).string();
  for (;;) {
    const RunFolder run = free_name(base);
    if (make_run(run, config)) return run;
  }
}

RunFolder create_stage(const TrainConfig& config, const RunFolder& run) {
  const std::string base = (fs::path(parent(run)) / run_name(config)).string();
  for (;;) {
    const RunFolder stage = free_name(base);
    set_stage_before(run, stage);
    if (make_run(stage, config)) return stage;
  }
}

void keep_options(const RunFolder& run, const TrainConfig& config) {
  const Json wanted = config_to_json(config, JsonPart::all);
  if (read_json(run.file("config.json")) == wanted) return;
  write_file_atomically(run.file("config.json"), dump_json(wanted, 2) + "\n");
}

std::string keep_device(const RunFolder& run, const std::string& device) {
  const std::string path = run.file("device.txt");
  std::string before = run.has("device.txt") ? read_text_file(path) : "";
  before.resize(std::min(before.size(), before.find('\n')));
  if (before == device) return "";
  write_file_atomically(path, device + "\n");
  return printable(before, 200);
}

TrainConfig read_run_config(const RunFolder& run) {
  TrainConfig config;
  const std::string path = run.file("config.json");
  const Json json = read_json(path);
  try {
    apply_json(config, without_sentinels(json), path);
    reset_impossible_run_options(config);
    validate(config);
    return resolve(config);
  } catch (const std::invalid_argument& e) {
    const std::string what = e.what();
    throw CheckpointError(what.starts_with(path) ? what : path + ": " + what);
  }
}

std::vector<RunFolder> list_runs(const std::string& output) {
  std::vector<std::pair<fs::file_time_type, RunFolder>> found;
  std::error_code error;
  for (fs::directory_iterator it(output, error), end; !error && it != end; it.increment(error)) {
    const RunFolder run{it->path().string()};
    if (run.has("config.json")) found.emplace_back(age(run), run);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second.path < b.second.path;
  });
  std::vector<RunFolder> runs;
  for (auto& [when, run] : found) runs.push_back(std::move(run));
  return runs;
}

FinishedRun find_finished(const TrainConfig& config, const DataRecord& data) {
  const Json recipe = config_to_json(config, JsonPart::recipe);
  FinishedRun found;
  if (config.init) return found;
  for (const auto& run : list_runs(config.output)) {
    if (!run.finished() || !run.has("last.bin")) continue;
    // A run that started from a file of the user's is another recipe.
    const auto other = config_or_nothing(run);
    if (!other || other->init || config_to_json(*other, JsonPart::recipe) != recipe) continue;
    try {
      const std::string path = run.file("last.bin");
      const auto there = data_record(load_header(path).metadata, path);
      const std::string differs = !there           ? "it does not say which data it was trained on (an older release)"
                                  : there->changed ? "its first epochs saw other data (--allow-data-change)"
                                                   : join(differences(*there, data, true), "; ");
      if (differs.empty()) {
        found.run = run;
        return found;
      }
      found.passed_over.push_back(concat(run.path, " is of the same recipe, but not taken: ", differs));
    } catch (const CheckpointError& e) {
      found.passed_over.push_back(e.what());
    }
  }
  return found;
}

bool agrees(const TrainConfig& config, const Json& given) {
  TrainConfig changed = config;
  Json options = given;
  options.erase("init");
  apply_json(changed, options, "command line");
  try {
    validate_quant(changed);
  } catch (const UsageError&) {
    return false;  // settings of another method
  }
  return config_to_json(resolve(changed), JsonPart::recipe) == config_to_json(config, JsonPart::recipe);
}

std::optional<RunFolder> find_unfinished(const std::string& output, const Json& given) {
  for (const auto& run : list_runs(output)) {
    if (run.finished()) continue;
    const auto config = config_or_nothing(run);
    if (config && agrees(*config, given)) return run;
  }
  return std::nullopt;
}

RunFolder waiting_for(RunFolder run) {
  const std::vector<RunFolder> all = list_runs(parent(run));
  for (size_t links = 0; links < all.size(); ++links) {  // a circle has no end
    const auto next = std::find_if(all.begin(), all.end(), [&](const RunFolder& other) { return waits(other, run); });
    if (next == all.end()) break;
    run = *next;
  }
  return run;
}

std::optional<RunFolder> stage_before(const RunFolder& run) {
  const std::string path = run.file("pretrain.json");
  if (!run.has("pretrain.json")) return std::nullopt;
  const Json json = read_json(path);
  if (!json.is_object() || !json.contains("run") || !json["run"].is_string()) {
    throw CheckpointError(path + ": expected {\"run\": NAME}, found " + brief(json));
  }
  const fs::path name = json["run"].get<std::string>();
  if (name.empty() || name.has_parent_path() || name == "." || name == "..") {
    throw CheckpointError(
        concat(path, ": expected the name of a run folder beside this one, found ", brief(json["run"])));
  }
  return RunFolder{(fs::path(parent(run)) / name).string()};
}

void set_stage_before(const RunFolder& run, const RunFolder& stage) {
  write_file_atomically(run.file("pretrain.json"), Json{{"run", stage.name()}}.dump() + "\n");
}

RunLock::RunLock(const RunFolder& run, const std::string& held)
    : file_(open(run.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (file_ >= 0 && flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  if (file_ >= 0 && errno == EWOULDBLOCK) {
    close(file_);
    throw CheckpointError(run.path + ": " + held);
  }
  missing_ = std::generic_category().message(errno);
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace ntq::apps
