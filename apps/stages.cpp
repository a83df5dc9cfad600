#include "apps/stages.h"

#include <filesystem>
#include <sstream>

#include "apps/checkpoint.h"
#include "apps/estimate.h"
#include "apps/init.h"
#include "apps/json.h"
#include "apps/quantized_start.h"
#include "apps/signals.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "apps/train_loop.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/input_file.h"
#include "engine/backend/cpu_settings.h"
#include "engine/serialize.h"

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

/// What the run came to; written as result.json, which marks a run as finished.
Json summarize(const TrainConfig& c, const Progress& p, const RunFolder& run) {
  Json out = {{"dataset", c.dataset},
              {"model", c.model},
              {"method", c.quantized() ? c.method : "fp"},
              {"weight_bits", c.bits_of_weights()},
              {"act_bits", c.bits_of_activations()},
              {"epochs", c.epochs},
              {"seed", c.seed},
              {"best_top1", p.best_top1},
              {"best_epoch", p.best_epoch},
              {"last", last_row(run)}};
  if (!c.bits_of.empty()) out["bits_of"] = c.bits_of;
  if (const auto stage = pretrain_run(run)) out["pretrain_run"] = stage->name();
  if (run.has("start.json")) {
    out["start"] = parse_json_or_null(read_text_file(run.file("start.json")));
  }
  return out;
}

/// The summary with the paths of the files, which are printed too.
Json report_end(const RunFolder& run, Json summary, Console& console) {
  console.headline(concat("Best top-1 ", fixed(summary.value("best_top1", 0.0), 2), "% in epoch ",
                          summary.value("best_epoch", int64_t{0})));
  summary["run"] = run.path;
  const auto list = [&](const char* key, const std::string& path) {
    summary["files"][key] = path;
    console.line(concat("  ", path));
  };
  for (const char* name : {"config.json", "metrics.csv", "metrics.jsonl", "last.bin", "best.bin", "log.txt"}) {
    if (run.has(name)) list(name, run.file(name));
  }
  if (const auto stage = pretrain_run(run)) list("pretrain", stage->file("last.bin"));
  return summary;
}

/// What the stages are made of, each built once and used by whoever needs it first.
struct Parts {
  DatasetPair data;
  bool may_differ = false;  ///< the data may be others than before
  std::optional<Session> pretrain = {}, main = {};
  std::optional<LoadReport> init = {};         ///< of the weights that `main` has been given
  std::optional<FinishedRun> pretrained = {};  ///< who has been looked for

  Session& build(std::optional<Session>& session, const TrainConfig& config) const {
    if (!session) session = make_session(config, data);
    return *session;
  }
  const FinishedRun& find_pretrained(const TrainConfig& fp) {
    if (!pretrained) pretrained = find_finished(fp, record_of(data));
    return *pretrained;
  }
};

RunFolder finish_pretraining(const RunFolder& run, const TrainConfig& config, Parts& parts, Console& console);

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

/// Trains one run from where its folder stands: from nothing, from step 0, or from the middle. `session` is ready for
/// it, or made here.
Json go_on(const RunFolder& run, const TrainConfig& config, Parts& parts, std::optional<Session>& built,
           Console& console) {
  const RunLock lock(run);
  if (!lock.missing().empty()) {
    console.warn(
        concat(run.path, ": cannot be locked (", lock.missing(), "): see to it that no other ntq-train writes it"));
  }
  remove_stale_temporaries(run.path);
  keep_options(run, config);
  const bool resumed = run.has("last.bin");
  std::optional<std::string> init = config.init;
  if (!resumed && config.two_stages()) init = finish_pretraining(run, config, parts, console).file("last.bin");
  console.log_to(run.file("log.txt"));
  Session& session = parts.build(built, config);
  if (resumed) warn_if(console, restore_run(session, run.file("last.bin"), parts.may_differ));
  print_start(console, session, run.path);
  if (!resumed) {
    if (init) {
      if (!parts.init) parts.init = init_from(session, *init);
      print_init(console, *parts.init, *init);
      prepare_start(session, run, console);
    }
    save_run(run.file("last.bin"), session);
  }
  train_run(session, run, console);
  const Json summary = summarize(config, session.progress, run);
  write_file_atomically(run.file("result.json"), summary.dump(2) + "\n");
  built.reset();
  return report_end(run, summary, console);
}

/// The finished full-precision run that `run` starts from; found, resumed or trained anew.
RunFolder finish_pretraining(const RunFolder& run, const TrainConfig& config, Parts& parts, Console& console) {
  const TrainConfig fp = pretrain_config(config);
  auto stage = pretrain_run(run);
  if (!stage || !stage->has("config.json")) {
    stage = parts.find_pretrained(fp).run;
    if (stage) {
      set_pretrain_run(run, *stage);
    } else {
      stage = create_stage(fp, run);
    }
  }
  if (config_to_json(read_run_config(*stage), JsonPart::recipe) != config_to_json(fp, JsonPart::recipe)) {
    throw CheckpointError(concat(run.file("pretrain.json"), ": names ", stage->path,
                                 ", which is no full-precision stage of this run; remove the file to train one"));
  }
  if (!stage->finished()) {
    go_on(*stage, fp, parts, parts.pretrain, console);
  } else {
    const std::string path = stage->file("last.bin");
    warn_if(console, check_same_data(load_header(path).metadata, path, record_of(parts.data), parts.may_differ, true));
  }
  return *stage;
}

void set_threads(const TrainConfig& config) {
  if (config.threads) set_cpu_threads(static_cast<int>(*config.threads));
}

/// Says what the stages are and how long they take; gives the estimates.
Json announce_stages(const TrainConfig& config, Parts& parts, Console& console) {
  Json stages = Json::array();
  std::vector<std::string> lines;
  double total = 0;
  const auto add = [&](const TrainConfig& stage, std::optional<Session>& session,
                       const std::optional<RunFolder>& reused) {
    Json json = {{"stage", precision_text(stage)}};
    std::string line = concat("  ", stages.size() + 1, ". ", precision_text(stage), ": ");
    if (reused) {
      json["reused"] = reused->path;
      line += "already there, " + reused->path;
    } else {
      const Estimate estimate = estimate_stage(parts.build(session, stage));
      json.update(estimate.json());
      total += estimate.total_seconds();
      line += "about " + estimate.str();
    }
    stages.push_back(json);
    lines.push_back(line);
  };
  if (config.two_stages()) {
    const TrainConfig fp = pretrain_config(config);
    const FinishedRun& found = parts.find_pretrained(fp);
    add(fp, parts.pretrain, found.run);
    for (const auto& why : found.passed_over) console.line("Note: " + why);
  }
  add(config, parts.main, std::nullopt);
  console.line(
      concat(stages.size(), stages.size() == 1 ? " stage" : " stages", ", about ", duration(total), " in all:"));
  for (const auto& line : lines) console.line(line);
  return {{"stages", stages}, {"seconds", total}};
}

/// Everything that can fail before there is a run folder.
Parts build_parts(const TrainConfig& config, Console& console) {
  set_threads(config);
  Parts parts{open_data(config, console)};
  Session& session = parts.build(parts.main, config);
  if (config.init) parts.init = init_from(session, *config.init);
  return parts;
}

}  // namespace

Json start_run(const TrainConfig& config, Console& console) {
  Parts parts = build_parts(config, console);
  if (config.two_stages()) announce_stages(config, parts, console);
  return go_on(create_run(config), config, parts, parts.main, console);
}

Json dry_run(const TrainConfig& config, Console& console) {
  Parts parts = build_parts(config, console);
  print_start(console, *parts.main, "none (--dry-run)");
  Json out = announce_stages(config, parts, console);
  const double step = out["stages"].back().value("seconds_per_step", 0.0);
  const DataRate rate = measure_data_rate(config, parts.data);
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
  Parts parts{open_data(config, console), command.allow_data_change};
  return go_on(run, config, parts, parts.main, console);
}

}  // namespace ntq::apps
