// Which run --resume means, and the options it goes on with.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/config_quant.h"
#include "apps/run_folder.h"
#include "apps/stages.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

RunFolder named_or_newest(const TrainCommand& command) {
  if (!command.resume->empty()) {
    const auto path = std::filesystem::path(*command.resume).lexically_normal();
    // "runs/x/" has an empty last component.
    const RunFolder run{path.has_filename() ? path.string() : path.parent_path().string()};
    if (run.has("config.json")) return run;
    std::error_code unknown;
    const bool there = std::filesystem::exists(path, unknown), folder = std::filesystem::is_directory(path, unknown);
    throw CheckpointError(concat("--resume ", run.path, ": expected a run folder, found ",
                                 folder  ? "a folder without config.json; to take the newest run in it, give --output"
                                 : there ? "a file; name the folder that it lies in"
                                         : "nothing"));
  }
  const auto found = find_unfinished(command.given.output, command.given_json);
  if (!found) {
    throw CheckpointError("--resume: no unfinished run of these options below " + command.given.output +
                          "; name one with --resume RUN, or its parent with --output");
  }
  return *found;
}

}  // namespace

std::pair<RunFolder, TrainConfig> resolve_resume(const TrainCommand& command) {
  const RunFolder run = waiting_for(named_or_newest(command));
  TrainConfig config = read_run_config(run);
  const auto there = config_to_json(config, JsonPart::recipe);
  for (const auto& [key, value] : command.given_json.items()) {
    if (key == "init" || key == "raw") {
      throw UsageError(concat("--", key, ": not together with --resume; the run keeps its weights"));
    }
    if (!agrees(config, {{key, value}})) {
      std::string place = key;  // where the run has it
      for_each_short_form(config, [&](const char* name, auto&) { place = place == name ? "quant" : place; });
      throw UsageError(concat("--resume ", run.path, ": '", place, "' is ", there[place].dump(), " there, found ",
                              place == key ? "" : key + " ", value.dump(),
                              "; a resumed run keeps its recipe, start a new run instead"));
    }
  }
  apply_json(config, command.given_json, "command line");
  const auto parent = std::filesystem::path(run.path).parent_path();
  config.output = parent.empty() ? "." : parent.string();
  validate(config);
  return {run, resolve(config)};
}

}  // namespace ntq::apps
