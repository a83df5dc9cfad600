#include "apps/stages.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "analyze/cost.h"
#include "apps/checkpoint.h"
#include "apps/device_choice.h"
#include "apps/estimate.h"
#include "apps/init.h"
#include "apps/json.h"
#include "apps/profile_report.h"
#include "apps/quantized_start.h"
#include "apps/report/report.h"
#include "apps/signals.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "apps/train_loop.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/peak_memory.h"
#include "engine/backend/cpu_settings.h"
#include "engine/serialize.h"
#include "train/layer_report.h"

namespace ntq::apps {
namespace {

/// The last row of metrics.jsonl.
Json last_row(const RunFolder& run) {
  if (!run.has("metrics.jsonl")) return {};
  std::istringstream rows(read_text_file(run.file("metrics.jsonl")));
  std::string line, last;
  while (std::getline(rows, line)) last = line;
  return parse_json_or_null(last);
}

/// Bit operations of an image, of all layers.
double bops_of(const Session& s) {
  const DatasetInfo& info = s.data.train->info();
  double sum = 0;
  for (const LayerCost& cost : layer_costs(*s.model, {1, info.height, info.width, info.channels})) sum += cost.bops();
  return sum;
}

/// What the run came to; written as result.json, which marks a run as finished.
Json summarize(const Session& s, const RunFolder& run) {
  const TrainConfig& c = s.config;
  Json out = {{"dataset", c.dataset},
              {"model", c.model},
              {"method", c.quantized() ? c.method : "fp"},
              {"weight_bits", c.bits_of_weights()},
              {"act_bits", c.bits_of_activations()},
              {"precision", c.precision},
              {"epochs", c.epochs},
              {"seed", c.seed},
              {"best_top1", s.progress.best_top1},
              {"best_epoch", s.progress.best_epoch},
              {"deployed_bytes", static_cast<int64_t>(deployed_bits(*s.model) / 8)},
              {"deployed_bops", bops_of(s)},
              {"last", last_row(run)}};
  if (!c.bits_of.empty()) out["bits_of"] = c.bits_of;
  if (c.bits_before) out["bits_before"] = *c.bits_before;
  if (const auto stage = stage_before(run)) out["pretrain_run"] = stage->name();
  if (run.has("start.json")) {
    out["start"] = parse_json_or_null(read_text_file(run.file("start.json")));
  }
  return out;
}

/// The run's page. It fails no run: all that it shows is written already.
void write_page(const RunFolder& run, Console& console) try {
  make_report(run.path, report_place(run.path));
} catch (const std::exception& e) {
  console.warn(concat("no report: ", e.what()));
}

/// The summary with the paths of the files, which are printed too.
Json report_end(const RunFolder& run, Json summary, Console& console) {
  console.headline(concat("Best top-1 ", fixed(summary.value("best_top1", 0.0), 2), "% in epoch ",
                          summary.value("best_epoch", int64_t{0})));
  if (summary.contains("deployed_bytes")) {
    console.line(concat("  ", bytes_text(summary["deployed_bytes"].get<double>()), " with the weights at their bits"));
  }
  summary["run"] = run.path;
  const auto list = [&](const char* key, const std::string& path) {
    summary["files"][key] = path;
    console.line(concat("  ", path));
  };
  for (const char* name : {"config.json", "metrics.csv", "metrics.jsonl", "steps.csv", "layers.csv", "last.bin",
                           "best.bin", "log.txt", "trace.json", "report.html"}) {
    if (run.has(name)) list(name, run.file(name));
  }
  if (const auto stage = stage_before(run)) list("pretrain", stage->file("last.bin"));
  return summary;
}

struct Stage {
  TrainConfig config;
  std::optional<Session> session = {};
  std::optional<LoadReport> init = {};       ///< of the weights that the session has been given
  std::optional<FinishedRun> finished = {};  ///< who has been looked for
};

/// What the stages are made of, each built once and used by whoever needs it first.
struct Parts {
  DatasetPair data;
  bool may_differ = false;  ///< the data may be others than before
  bool profile = false;     ///< where each stage's time goes
  std::vector<Stage> stages = {};

  Session& build(Stage& stage) const {
    if (!stage.session) stage.session = make_session(stage.config, data);
    return *stage.session;
  }
  const FinishedRun& find(Stage& stage) const {
    if (!stage.finished) stage.finished = find_finished(stage.config, record_of(data));
    return *stage.finished;
  }
};

RunFolder finish_stage_before(const RunFolder& run, Parts& parts, size_t index, Console& console);

void warn_if(Console& console, const std::string& text) {
  if (!text.empty()) console.warn(text);
}

/// The first steps of quantizers, and what they cost.
void prepare_start(Session& session, const RunFolder& run, Console& console) try {
  if (const auto scores = prepare_quantized_start(session, console)) {
    write_file_atomically(run.file("start.json"), to_json(*scores).dump(2) + "\n");
  }
} catch (const LoadInterrupted&) {  // a stage before it is kept
  throw Error("interrupted before the first step. Go on with: ntq-train --resume " + run.path, 128 + stop_signal());
}

/// Trains; gives where the time went, if that was asked for.
Json train_session(const Parts& parts, Session& session, const RunFolder& run, Console& console) {
  if (!parts.profile) {
    train_run(session, run, console);
    return {};
  }
  Profile profile(*session.model);
  const auto report = [&] {
    profile.stop();
    write_file_atomically(run.file("trace.json"), trace_json(profile));
    console.block(profile_text(profile));
  };
  try {
    train_run(session, run, console, &profile);
  } catch (...) {  // stopped by a signal, say
    report();
    throw;
  }
  report();
  return profile_json(profile);
}

/// Trains the run of one stage from where its folder stands: from nothing, from step 0, or from the middle.
Json go_on(const RunFolder& run, Parts& parts, size_t index, Console& console) {
  Stage& stage = parts.stages[index];
  const TrainConfig& config = stage.config;
  const RunLock lock(run);
  if (!lock.missing().empty()) {
    console.warn(
        concat(run.path, ": cannot be locked (", lock.missing(), "): see to it that no other ntq-train writes it"));
  }
  remove_stale_temporaries(run.path);
  keep_options(run, config);
  const bool resumed = run.has("last.bin");
  std::optional<std::string> init = config.init;
  if (!resumed && index > 0) init = finish_stage_before(run, parts, index, console).file("last.bin");
  console.log_to(run.file("log.txt"));
  Session& session = parts.build(stage);
  if (resumed) warn_if(console, restore_run(session, run.file("last.bin"), parts.may_differ));
  const std::string device = bits_of_device(session.device.device), before = keep_device(run, device);
  if (resumed && !before.empty()) {
    console.warn(
        concat("this run was computed so far on ", before, ", from here on on ", device, ": not the same to the bit"));
  }
  print_start(console, session, run.path);
  warn_left_out(console, session, index + 1 == parts.stages.size());
  if (!resumed) {
    if (init) {
      if (!stage.init) stage.init = init_from(session, *init);
      print_init(console, *stage.init, *init);
      prepare_start(session, run, console);
    }
    save_run(run.file("last.bin"), session);
  }
  const Json profile = train_session(parts, session, run, console);
  give_back_cpu_memory();  // a summary's memory, and a page's, is not the training's
  Json summary = summarize(session, run);
  write_file_atomically(run.file("result.json"), summary.dump(2) + "\n");
  stage.session.reset();
  give_back_cpu_memory();
  write_page(run, console);
  const int64_t peak = peak_memory();
  summary = report_end(run, summary, console);
  console.line(concat("memory: ", bytes_text(static_cast<double>(peak)), " at most, all of this process"));
  summary["peak_bytes"] = peak;
  if (!profile.is_null()) summary["profile"] = profile;
  return summary;
}

/// The finished run that `run`, of stage `index`, starts from; found, resumed or trained anew.
RunFolder finish_stage_before(const RunFolder& run, Parts& parts, size_t index, Console& console) {
  Stage& before = parts.stages[index - 1];
  auto found = stage_before(run);
  if (!found || !found->has("config.json")) {
    found = parts.find(before).run;
    if (found) {
      set_stage_before(run, *found);
    } else {
      found = create_stage(before.config, run);
    }
  }
  if (config_to_json(read_run_config(*found), JsonPart::recipe) != config_to_json(before.config, JsonPart::recipe)) {
    throw CheckpointError(concat(run.file("pretrain.json"), ": names ", found->path,
                                 ", which is no stage of this run (", precision_text(before.config),
                                 "); remove the file to train one"));
  }
  if (!found->finished()) {
    go_on(*found, parts, index - 1, console);
  } else {
    const std::string path = found->file("last.bin");
    warn_if(console, check_same_data(load_header(path).metadata, path, record_of(parts.data), parts.may_differ, true));
  }
  return *found;
}

void set_threads(const TrainConfig& config) {
  if (config.threads) set_cpu_threads(static_cast<int>(*config.threads));
}

/// The last stage that is finished already, or the first one: those before are not needed.
size_t first_needed(Parts& parts, Console& console) {
  for (size_t i = parts.stages.size() - 1; i > 0; --i) {
    const FinishedRun& found = parts.find(parts.stages[i - 1]);
    for (const auto& why : found.passed_over) console.line("Note: " + why);
    if (found.run) return i - 1;
  }
  return 0;
}

/// Says what the stages are and how long they take; gives the estimates.
Json announce_stages(Parts& parts, Console& console) {
  Json stages = Json::array();
  std::vector<std::string> lines;
  double total = 0;
  const size_t first = first_needed(parts, console), last = parts.stages.size() - 1;
  for (size_t i = first; i <= last; ++i) {
    Stage& stage = parts.stages[i];
    Json json = {{"stage", precision_text(stage.config)}};
    std::string line = concat("  ", stages.size() + 1, ". ", precision_text(stage.config), ": ");
    if (stage.finished && stage.finished->run) {
      json["reused"] = stage.finished->run->path;
      line += "already there, " + stage.finished->run->path;
    } else {
      Estimate estimate = estimate_stage(parts.build(stage));
      if (last == 0) estimate.memory_bytes = std::max<int64_t>(0, estimate.memory_bytes - estimate.kept_bytes);
      json.update(estimate.json());
      total += estimate.total_seconds();
      line += "about " + estimate.str();
      if (i > first && i < last) stage.session.reset();  // its memory, until it is its turn
    }
    stages.push_back(json);
    lines.push_back(line);
  }
  console.line(
      concat(stages.size(), stages.size() == 1 ? " stage" : " stages", ", about ", duration(total), " in all:"));
  for (const auto& line : lines) console.line(line);
  return {{"stages", stages}, {"seconds", total}};
}

Parts open_parts(const TrainConfig& config, Console& console) {
  Parts parts{open_data(config, console)};
  for (const TrainConfig& stage : stages_of(config)) parts.stages.push_back({stage});
  return parts;
}

/// Everything that can fail before there is a run folder.
Parts build_parts(const TrainCommand& command, Console& console) {
  const TrainConfig& config = command.config;
  set_threads(config);
  Parts parts = open_parts(config, console);
  parts.profile = command.profile;
  parts.build(parts.stages.back());
  Stage& first = parts.stages.front();
  if (config.init) first.init = init_from(parts.build(first), *config.init);
  return parts;
}

}  // namespace

Json start_run(const TrainCommand& command, Console& console) {
  Parts parts = build_parts(command, console);
  const size_t last = parts.stages.size() - 1;
  if (last > 0) announce_stages(parts, console);
  return go_on(create_run(command.config), parts, last, console);
}

Json dry_run(const TrainCommand& command, Console& console) {
  const TrainConfig& config = command.config;
  Parts parts = build_parts(command, console);
  print_start(console, *parts.stages.back().session, "none (--dry-run)");
  warn_left_out(console, *parts.stages.back().session, true);
  Json out = announce_stages(parts, console);
  const double step = out["stages"].back().value("seconds_per_step", 0.0);
  const DataRate rate = measure_data_rate(*parts.stages.back().session);
  const double model_rate = step > 0 ? static_cast<double>(config.batch_size) / step : 0;
  console.line(bottleneck_text(rate, model_rate));
  out["data_images_per_s"] = rate.images_per_s;
  out["model_images_per_s"] = model_rate;
  return out;
}

Json resume_run(const TrainCommand& command, Console& console) {
  const auto [run, config] = resolve_resume(command);
  if (run.finished()) {
    console.line(run.path + ": finished already");
    const Json summary = parse_json_or_null(read_text_file(run.file("result.json")));
    if (!summary.is_object()) throw CheckpointError(run.file("result.json") + ": expected a JSON object");
    return report_end(run, summary, console);
  }
  set_threads(config);
  Parts parts = open_parts(config, console);
  parts.may_differ = command.allow_data_change;
  parts.profile = command.profile;
  return go_on(run, parts, parts.stages.size() - 1, console);
}

}  // namespace ntq::apps
