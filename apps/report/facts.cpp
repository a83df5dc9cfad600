#include "apps/report/facts.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "apps/checkpoint.h"
#include "apps/report/file_sum.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

namespace fs = std::filesystem;

NetworkFacts network_of(RunCheckpoint c, const std::string& path) {
  const auto model = model_of(c, path, takes_average(c, path, Weighting::automatic));
  c.file.tensors = c.model = c.optimizer = c.ema = c.statistics = {};  // the model has what it needs of them
  NetworkFacts out{.file = fs::path(path).filename().string(),
                   .epoch = c.progress.epoch,
                   .parameters = model->parameter_count(),
                   .bytes = deployed_bits(*model) / 8,
                   .layers = report_layers(*model),
                   .histograms = {},
                   .costs = {}};
  const auto trained = preprocessing_record(c.file.metadata, path);
  const int64_t side = trained ? trained->image_size : c.config.photographs() ? c.config.image_size : 32;
  try {
    out.histograms = weight_histograms(*model);
    out.costs = layer_costs(*model, {1, side, side, c.channels});
  } catch (const std::invalid_argument&) {
    // Quantizers without steps: nothing has been trained yet.
  }
  return out;
}

/// The block of lines that the last start, or resumption, of the run began with.
std::string start_block_of(const std::string& log) {
  std::string block, current;
  bool inside = false;
  for (size_t begin = 0, end; begin < log.size(); begin = end + 1) {
    end = std::min(log.find('\n', begin), log.size());
    const std::string line = log.substr(begin, end - begin);
    if (line.starts_with("ntq-train ")) {
      current = line + "\n", inside = true;
    } else if (inside && line.starts_with("  ")) {
      if (!line.starts_with("  run ")) current += line + "\n";  // a path, which says nothing elsewhere
    } else if (inside) {
      block = current, inside = false;
    }
  }
  return inside ? current : block;
}

/// Calls read(); what it throws is a problem of the page, not of its reader.
template <class Read>
void try_to(RunFacts& facts, Read&& read) {
  try {
    read();
  } catch (const std::exception& e) {
    facts.problems.emplace_back(e.what());
  }
}

CsvTable csv_of(const RunFolder& run, const char* name) {
  return run.has(name) ? parse_csv(read_text_file(run.file(name))) : CsvTable();
}

/// Why an analysis is left out that says it is of other bytes than the page's checkpoint has.
std::string another_checkpoint(const Json& json, const std::string& name, const std::string& checkpoint) {
  const Json file = json.value("checkpoint", Json()), epoch = json.value("epoch", Json());
  return concat(name, ".json is of another checkpoint (",
                file.is_string() ? fs::path(file.get<std::string>()).filename().string() : "?",
                epoch.is_number_integer() ? concat(", epoch ", epoch.get<int64_t>()) : "",
                "): left out; in this folder, ", "ntq-analyze ", checkpoint, " ", name, " --json > ", name,
                ".json makes it anew.");
}

/// `checkpoint`: the file that the page is about. Analyses of older releases do not say what they are of.
void read_analyses(const RunFolder& run, const std::string& checkpoint, RunFacts& facts) {
  std::string sum;
  for (const char* name : kShownAnalyses) {
    const std::string file = concat(name, ".json");
    if (!run.has(file)) continue;
    try_to(facts, [&] {
      const Json json = parse_json(read_text_file(run.file(file)), file);
      if (!json.is_object() || json.value("analysis", Json()) != name) {
        throw CheckpointError(concat(file, ": expected what ntq-analyze CHECKPOINT ", name, " --json prints"));
      }
      const Json of = json.value("crc32", Json());
      if (of.is_string() && run.has(checkpoint)) {
        if (sum.empty()) sum = file_crc32(run.file(checkpoint));
        if (of != sum) {
          facts.of_another[name] = another_checkpoint(json, name, checkpoint);
          return;
        }
      }
      facts.analyses[name] = json;
    });
  }
}

RunFacts folder_facts(const RunFolder& run, const std::string& checkpoint) {
  RunFacts facts;
  facts.name = run.name();
  try_to(facts, [&] { facts.given = read_run_config(run); });
  try_to(facts, [&] { facts.epochs = csv_of(run, "metrics.csv"); });
  try_to(facts, [&] { facts.steps = csv_of(run, "steps.csv"); });
  try_to(facts, [&] { facts.layers = csv_of(run, "layers.csv"); });
  if (run.has("result.json")) {
    try_to(facts, [&] { facts.result = parse_json(read_text_file(run.file("result.json")), "result.json"); });
  }
  if (run.has("log.txt"))
    try_to(facts, [&] { facts.start_block = start_block_of(read_text_file(run.file("log.txt"))); });
  read_analyses(run, checkpoint, facts);
  return facts;
}

}  // namespace

double NetworkFacts::bops() const {
  double sum = 0;
  for (const LayerCost& cost : costs) sum += cost.bops();
  return sum;
}

RunFacts run_facts(const RunFolder& run) {
  RunFacts facts = folder_facts({fs::weakly_canonical(run.path).string()}, "last.bin");
  const std::string path = run.file("last.bin");
  if (run.has("last.bin")) try_to(facts, [&] { facts.network = network_of(load_run_checkpoint(path), path); });
  if (!facts.given && !facts.network) throw CheckpointError(facts.problems.at(0));
  return facts;
}

RunFacts checkpoint_facts(const std::string& path) {
  TensorFile file = load_tensors(path);
  if (!is_of_run(file)) {
    throw CheckpointError(concat(printable(path), ": expected a checkpoint of ntq-train, found another file"));
  }
  RunCheckpoint checkpoint = read_run_checkpoint(std::move(file), path);
  const fs::path own = fs::weakly_canonical(path);
  const RunFolder run{own.parent_path().string()};
  RunFacts facts;
  if (run.has("config.json")) {
    facts = folder_facts(run, own.filename().string());
    facts.name += ", " + own.filename().string();
  } else {
    facts.name = own.filename().string();
    facts.given = checkpoint.config;
    facts.has_folder = false;
  }
  facts.network = network_of(std::move(checkpoint), path);
  return facts;
}

double number_at(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json[key].is_number() ? json[key].get<double>() : NAN;
}

const Json& list_at(const Json& json, const char* key) {
  static const Json kNone = Json::array();
  return json.is_object() && json.contains(key) && json[key].is_array() ? json[key] : kNone;
}

std::vector<double> numbers_of(const Json& list) {
  std::vector<double> out;
  for (const Json& one : list) out.push_back(one.is_number() ? one.get<double>() : NAN);
  return out;
}

std::string magnitude_text(double value) {
  if (!std::isfinite(value)) return "-";
  const auto [size, unit] = value >= 1e9   ? std::pair(1e9, " G")
                            : value >= 1e6 ? std::pair(1e6, " M")
                                           : std::pair(1e3, " k");
  return value < 1e3 ? general(value, 4) : general(value / size, 4) + unit;
}

}  // namespace ntq::apps
