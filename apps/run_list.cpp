#include "apps/run_list.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "apps/json.h"
#include "base/check.h"
#include "base/input_file.h"

namespace ntq::apps {
namespace {

namespace fs = std::filesystem;

constexpr int kLevels = 4;  // of a sweep: the folder of sweeps, the sweep, the cell, its run

void collect(const fs::path& folder, int levels, std::vector<RunFolder>& runs) {
  std::vector<fs::path> below;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code unknown;
    if (it->is_directory(unknown) && !it->is_symlink(unknown)) below.push_back(it->path());
  }
  std::sort(below.begin(), below.end());
  for (const auto& path : below) {
    const RunFolder run{path.string()};
    if (run.has("config.json")) {
      runs.push_back(run);
    } else if (levels > 1) {
      collect(path, levels - 1, runs);
    }
  }
}

std::optional<double> number_of(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_number()) return std::nullopt;
  return json[key].get<double>();
}

/// The settings as text, in order.
std::vector<std::pair<std::string, std::string>> flat(const TrainConfig& config) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto text = [](const Json& value) {
    return value.is_null() ? "-" : value.is_string() ? value.get<std::string>() : dump_json(value);
  };
  const Json recipe = config_to_json(config, JsonPart::recipe);
  for (const auto& [key, value] : recipe.items()) {
    if (key == "bits") continue;  // weight_bits and act_bits say it
    if (key != "quant") {
      out.emplace_back(key, text(value));
      continue;
    }
    for (const auto& [name, setting] : value.items()) out.emplace_back("quant." + name, text(setting));
  }
  out.emplace_back("init", config.init.value_or("-"));
  return out;
}

void read_metrics(ListedRun& listed) {
  if (!listed.run.has("metrics.jsonl")) return;
  std::istringstream rows(read_text_file(listed.run.file("metrics.jsonl")));
  for (std::string line; std::getline(rows, line);) {
    const Json row = parse_json_or_null(line);
    const auto epoch = number_of(row, "epoch"), average = number_of(row, "ema_val_top1");
    if (!epoch) continue;
    listed.epoch = static_cast<int64_t>(*epoch);
    listed.top1 = average ? average : number_of(row, "val_top1");
    listed.best = std::max(listed.best.value_or(0), listed.top1.value_or(0));
    listed.seconds += number_of(row, "seconds").value_or(0);
  }
}

}  // namespace

std::vector<RunFolder> find_runs(const std::string& path) {
  const RunFolder own{path};
  if (own.has("config.json")) return {own};
  std::vector<RunFolder> runs;
  collect(path, kLevels, runs);
  if (runs.empty()) throw CheckpointError(path + ": expected a run folder or a folder of runs, found none");
  return runs;
}

ListedRun read_listed(const RunFolder& run) {
  ListedRun listed{.run = run};
  try {
    const TrainConfig config = read_run_config(run);
    for (const auto& [key, value] : flat(config)) listed.settings[key] = value;
    listed.epochs = config.epochs;
    listed.finished = run.finished();
    read_metrics(listed);
    if (listed.finished && listed.epoch == 0 && listed.epochs > 0) {
      throw CheckpointError(run.file("metrics.jsonl") +
                            ": expected a line for each epoch of a finished run, found none");
    }
    if (listed.finished) {
      listed.bytes = number_of(parse_json_or_null(read_text_file(run.file("result.json"))), "deployed_bytes");
    }
  } catch (const std::exception& e) {
    listed.problem = e.what();
  }
  return listed;
}

std::vector<std::string> differing_settings(const std::vector<ListedRun>& runs) {
  std::vector<std::string> keys;
  const auto add = [&](const std::string& key) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  };
  for (const auto& [key, value] : flat(TrainConfig())) add(key);
  for (const auto& listed : runs) {
    for (const auto& entry : listed.settings) add(entry.first);
  }
  const auto value = [](const ListedRun& listed, const std::string& key) {
    const auto found = listed.settings.find(key);
    return found == listed.settings.end() ? "-" : found->second;
  };
  const ListedRun* first = nullptr;
  std::vector<std::string> differ;
  for (const auto& listed : runs) {
    if (listed.problem.empty() && first == nullptr) first = &listed;
  }
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(differ), [&](const std::string& key) {
    return std::any_of(runs.begin(), runs.end(), [&](const ListedRun& listed) {
      return listed.problem.empty() && value(listed, key) != value(*first, key);
    });
  });
  return differ;
}

}  // namespace ntq::apps
