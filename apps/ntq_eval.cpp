// ntq-eval: accuracy and per-layer quantization figures of a checkpoint.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/eval_subject.h"
#include "apps/layer_text.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "engine/backend/cpu_settings.h"
#include "train/calibrate.h"
#include "train/evaluate.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

bool parse(int argc, char** argv, EvalOptions& o) {
  CLI::App app(
      "Evaluate a checkpoint on its data set: top-1, top-5, loss, and what quantization does to each layer.\n"
      "Weights of others: ntq-eval FILE.safetensors --dataset imagenet --model resnet50");
  add_eval_options(app, "a last.bin or best.bin, a .ntqi file, or a safetensors file", o);
  app.add_option("--bn-recalibrate", o.bn_recalibrate, "re-estimate batch norm on N training batches [0]")
      ->type_name("N");
  app.add_option("--logits", o.logits, "also write logits and labels into this safetensors file")->type_name("FILE");
  app.add_flag("--refresh-index", o.refresh_index, "accepted for scripts: the list is read anew each time");
  return parse_or_answer(app, argc, argv);
}

/// Logits and labels in the order of the images.
struct LogitsFile {
  std::vector<float> values;
  std::vector<int32_t> labels;

  void add(const Tensor& batch, const Tensor& of_batch) {
    const Tensor logits = batch.to(Device()), of = of_batch.to(Device());
    values.insert(values.end(), logits.f32(), logits.f32() + logits.numel());
    labels.insert(labels.end(), of.data<int32_t>(), of.data<int32_t>() + of.numel());
  }
  void save(const std::string& path) const {
    const auto rows = static_cast<int64_t>(labels.size());
    const int64_t classes = rows == 0 ? 0 : static_cast<int64_t>(values.size()) / rows;
    TensorFile file;
    file.tensors = {{"logits", Tensor::from({rows, classes}, std::span<const float>(values))},
                    {"labels", Tensor::from({rows}, std::span<const int32_t>(labels))}};
    save_tensors(path, file);
  }
};

void run(const EvalOptions& o) {
  Console console(false, o.json);
  if (o.dataset && o.dataset->empty()) throw UsageError("--dataset: expected a name, found nothing");
  if (o.logits) {
    if (o.logits->empty()) throw UsageError("--logits: expected a name, found nothing");
    if (std::filesystem::exists(*o.logits)) {
      throw UsageError("--logits " + *o.logits + ": exists already; name another file");
    }
    check_writable(*o.logits);  // before the work, not after it
  }
  const Subject subject = open_subject(o, console);
  const auto& [config, data, model, precision, title, layers, means, table, nodes, device] = subject;
  if (o.threads) set_cpu_threads(static_cast<int>(*o.threads));
  console.headline(concat(config.model, " on ", config.dataset, ", ", precision, title));
  print_device(console, device);
  console.block(table);
  if (config.bn_recalibrate > 0) {
    if (!data.train) throw DataError(config.dataset + ": no training images to re-estimate batch norm from");
    DataLoader batches(data.train, loader_options(config, device.device));
    recalibrate_norms(*model, batches, config.bn_recalibrate);
    console.line(concat("batch norm re-estimated on ", config.bn_recalibrate, " training batches"));
  }

  LogitsFile logits;
  const auto start = std::chrono::steady_clock::now();
  DataLoader loader(data.val, in_order(loader_options(config, device.device)));
  const Scores scores = evaluate(
      *model, loader,
      [&](int64_t done, int64_t of) {
        console.progress(concat(bar(static_cast<double>(done) / static_cast<double>(of), 20), " ", done, "/", of));
        return true;
      },
      o.logits ? [&](const Tensor& values, const Tensor& labels) { logits.add(values, labels); } : LogitsHook());
  if (o.logits) logits.save(*o.logits);
  // An accuracy of such outputs would say nothing.
  if (!std::isfinite(scores.loss())) {
    throw CheckpointError(concat(o.checkpoint,
                                 ": the network's outputs are not finite numbers, so there is no accuracy; ",
                                 "its weights are damaged, or a training diverged"));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double speed = static_cast<double>(scores.images) / seconds;
  for (const std::string& bad : loader.bad_images()) console.warn("left out: " + bad);
  console.headline(concat("top-1 ", fixed(scores.top1_percent(), 2), "%  top-5 ", fixed(scores.top5_percent(), 2),
                          "%  loss ", fixed(scores.loss(), 4)));
  console.line("arithmetic: " + scores.arithmetic);
  console.line(concat(scores.images, " images in ", duration(seconds), ", ", fixed(speed, 0), " images/s"));
  if (!o.json) return;
  print_json({{"checkpoint", o.checkpoint},
              {"dataset", config.dataset},
              {"model", config.model},
              {"images", scores.images},
              {"top1", scores.top1_percent()},
              {"top5", scores.top5_percent()},
              {"loss", scores.loss()},
              {"arithmetic", scores.arithmetic},
              {"mean_step", means.step.value_or(0)},
              {"mean_error", means.error.value_or(0)},
              {"images_per_s", speed},
              {"layers", nodes.is_null() ? layers_to_json(layers) : nodes}});
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    EvalOptions options;
    if (parse(argc, argv, options)) run(options);
  });
}
