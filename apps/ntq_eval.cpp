// ntq-eval: accuracy and per-layer quantization figures of a checkpoint.
#include <chrono>
#include <iostream>

#include "apps/checkpoint.h"
#include "apps/command.h"
#include "apps/console.h"
#include "apps/evaluate.h"
#include "apps/layer_report.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "engine/backend/backend.h"
#include "engine/check.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

struct EvalOptions {
  std::string checkpoint;
  TrainConfig config;  ///< where the data lie and how to run
  bool average = false, json = false;
};

bool parse(int argc, char** argv, EvalOptions& o) {
  CLI::App app("Evaluate a checkpoint on its data set: top-1, top-5, loss, and what quantization does to each layer.");
  app.add_option("CHECKPOINT", o.checkpoint, "a last.bin or best.bin")->required()->type_name("");
  app.add_option("--dataset", o.config.dataset, "another data set [the checkpoint's]")->type_name("NAME");
  app.add_option("--data-dir", o.config.data_dir, "where the data sets lie [$NTQ_DATA_DIR, else ./datasets]")
      ->type_name("DIR");
  app.add_option("--limit-val", o.config.limit_val, "use only the first N images")->type_name("N");
  app.add_option("--batch-size", o.config.batch_size, "images at a time [128]")->type_name("N");
  app.add_option("--workers", o.config.workers, "loader threads [1]")->type_name("N");
  app.add_option("--threads", o.config.threads, "compute threads; 0: one per core [0]")->type_name("N");
  app.add_flag("--ema", o.average, "evaluate the averaged weights (--model-ema)");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
  return parse_or_answer(app, argc, argv);
}

/// The checkpoint's recipe with this command's run options.
TrainConfig merged(const EvalOptions& o, const Checkpoint& checkpoint) {
  TrainConfig c = checkpoint.info.config;
  if (!o.config.dataset.empty()) c.dataset = o.config.dataset;
  c.data_dir = o.config.data_dir;
  c.limit_val = o.config.limit_val;
  c.batch_size = o.config.batch_size;
  c.workers = o.config.workers;
  c.threads = o.config.threads;
  validate(c);
  return c;
}

void check_data(const DatasetInfo& info, const CheckpointInfo& found, const std::string& path) {
  if (info.classes == found.classes && info.channels == found.channels) return;
  throw CheckpointError(concat(path, ": expected a model for ", info.name, " (", info.classes, " classes, ",
                               info.channels, " channels), found one for ", found.config.dataset, " (", found.classes,
                               " classes, ", found.channels, " channels)"));
}

void run(const EvalOptions& o) {
  Console console(false, o.json);
  const Checkpoint checkpoint = load_checkpoint(o.checkpoint);
  const TrainConfig config = merged(o, checkpoint);
  if (config.threads > 0) set_cpu_threads(static_cast<int>(config.threads));
  const DatasetPair data = open_dataset(config.dataset, config.data_dir, 0, config.limit_val);
  check_data(data.val->info(), checkpoint.info, o.checkpoint);
  const auto model = model_of(checkpoint, o.checkpoint, o.average);
  const auto layers = report_layers(*model);
  console.headline(concat(config.model, " on ", config.dataset, ", ", precision_text(config), ", epoch ",
                          checkpoint.info.progress.epoch, o.average ? ", averaged weights" : ""));
  console.line(layer_table(layers));

  const auto start = std::chrono::steady_clock::now();
  const auto loader = make_val_loader(config, data);
  const Scores scores = evaluate(*model, *loader, [&](int64_t done, int64_t of) {
    console.progress(concat(bar(static_cast<double>(done) / static_cast<double>(of), 20), " ", done, "/", of));
    return true;
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double speed = static_cast<double>(scores.images) / seconds;
  console.headline(concat("top-1 ", fixed(scores.top1_percent(), 2), "%  top-5 ", fixed(scores.top5_percent(), 2),
                          "%  loss ", fixed(scores.loss(), 4)));
  console.line(concat(scores.images, " images in ", duration(seconds), ", ", fixed(speed, 0), " images/s"));
  if (!o.json) return;
  const QuantMeans means = quant_means(layers);
  std::cout << nlohmann::ordered_json{{"checkpoint", o.checkpoint},      {"dataset", config.dataset},
                                      {"model", config.model},           {"images", scores.images},
                                      {"top1", scores.top1_percent()},   {"top5", scores.top5_percent()},
                                      {"loss", scores.loss()},           {"mean_step", means.step},
                                      {"mean_error", means.error},       {"images_per_s", speed},
                                      {"layers", layers_to_json(layers)}}
                   .dump()
            << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    EvalOptions options;
    if (parse(argc, argv, options)) run(options);
  });
}
