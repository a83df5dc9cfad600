// ntq-eval: accuracy and per-layer quantization figures of a checkpoint.
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/checkpoint.h"
#include "apps/command.h"
#include "apps/console.h"
#include "apps/layer_text.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "engine/backend/cpu_settings.h"
#include "train/calibrate.h"
#include "train/evaluate.h"
#include "train/weights.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

/// What the command line names; all else is the checkpoint's, or a default.
struct EvalOptions {
  std::string checkpoint;
  std::optional<std::string> dataset, model, stem, data_dir, aug, mean, std, val_labels, logits;
  std::optional<int64_t> image_size, limit_val, workers, threads;
  int64_t max_bad_images = 0, bn_recalibrate = 0, batch_size = 128;
  bool refresh_index = false, average = false, raw = false, allow_data_change = false, json = false;
};

bool parse(int argc, char** argv, EvalOptions& o) {
  CLI::App app(
      "Evaluate a checkpoint on its data set: top-1, top-5, loss, and what quantization does to each layer.\n"
      "Weights of others: ntq-eval FILE.safetensors --dataset imagenet --model resnet50");
  app.add_option("CHECKPOINT", o.checkpoint, "a last.bin or best.bin, or a safetensors file")
      ->required()
      ->type_name("");
  app.add_option("--dataset", o.dataset, "another data set [the checkpoint's]")->type_name("NAME");
  app.add_option("--model", o.model, "of a safetensors file of others")->type_name("NAME");
  app.add_option("--stem", o.stem, "of such a file: cifar, imagenet, or auto [auto]")->type_name("NAME");
  app.add_option("--data-dir", o.data_dir, "where the data sets lie [$NTQ_DATA_DIR, else ./datasets]")
      ->type_name("DIR");
  app.add_option("--aug", o.aug, "photographs' crops: paper or field [the checkpoint's]")->type_name("NAME");
  app.add_option("--image-size", o.image_size, "side of those crops [the checkpoint's]")->type_name("N");
  app.add_option("--mean", o.mean, "of each channel [the checkpoint's, else the data set's]")->type_name("R,G,B");
  app.add_option("--std", o.std, "deviation of each channel, likewise")->type_name("R,G,B");
  app.add_option("--val-labels", o.val_labels, "labels of a val folder without class folders")->type_name("FILE");
  app.add_option("--max-bad-images", o.max_bad_images, "images that may be left out [0]")->type_name("N");
  app.add_option("--limit-val", o.limit_val, "use only the first N images")->type_name("N");
  app.add_option("--bn-recalibrate", o.bn_recalibrate, "re-estimate batch norm on N training batches [0]")
      ->type_name("N");
  app.add_option("--batch-size", o.batch_size, "images at a time [128]")->type_name("N");
  app.add_option("--workers", o.workers, "loader threads [1; photographs: one per core]")->type_name("N");
  app.add_option("--threads", o.threads, "compute threads [one per core]")->type_name("N");
  app.add_option("--logits", o.logits, "also write logits and labels into this safetensors file")->type_name("FILE");
  app.add_flag("--ema", o.average, "the averaged weights: the default where there are any (--model-ema)");
  app.add_flag("--raw", o.raw, "the weights themselves, not their average");
  app.add_flag("--refresh-index", o.refresh_index, "accepted for scripts: the list is read anew each time");
  app.add_flag("--allow-data-change", o.allow_data_change, "take labels by number though the class names are others");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
  return parse_or_answer(app, argc, argv);
}

template <class T>
void take(T& field, const std::optional<T>& given) {
  if (given) field = *given;
}

/// `recipe` with what the command line names.
TrainConfig merged(const EvalOptions& o, TrainConfig c) {
  take(c.dataset, o.dataset);
  take(c.aug, o.aug);
  take(c.image_size, o.image_size);
  if (o.mean) c.mean = o.mean;
  if (o.std) c.std = o.std;
  c.data_dir = o.data_dir;
  c.val_labels = o.val_labels;
  c.max_bad_images = o.max_bad_images;
  c.limit_train.reset();
  c.limit_val = o.limit_val;
  c.batch_size = o.batch_size;
  c.workers = o.workers;
  c.threads = o.threads;
  c.bn_recalibrate = o.bn_recalibrate;
  validate(c);
  return resolve(c);
}

void check_data(const DatasetInfo& info, const RunCheckpoint& found, const std::string& path) {
  if (info.classes == found.classes && info.channels == found.channels) return;
  throw CheckpointError(concat(path, ": expected a model for ", info.name, " (", info.classes, " classes, ",
                               info.channels, " channels), found one for ", found.config.dataset, " (", found.classes,
                               " classes, ", found.channels, " channels)"));
}

/// As the network was trained, whatever data set it meets now.
void use_preprocessing(TrainConfig& recipe, const Preprocessing& trained) {
  const bool gray = trained.channels == 1;  // the first of three numbers is the channel's
  const auto text = [&](const std::array<float, 3>& v) {
    return concat(general(v[0], 9), ",", general(v[gray ? 0 : 1], 9), ",", general(v[gray ? 0 : 2], 9));
  };
  recipe.mean = text(trained.mean);
  recipe.std = text(trained.deviation);
}

/// Names that the labels have to mean; none where the file does not say or the user does not mind.
std::vector<std::string> expected_classes(const EvalOptions& o, const TensorFile& file, Console& console) {
  const auto trained = data_record(file.metadata, o.checkpoint);
  if (!trained) console.warn(unknown_classes(o.checkpoint));
  if (!trained) return {};
  if (!o.allow_data_change) return trained->classes;
  console.warn("--allow-data-change: labels are taken by number, whatever the classes are called");
  return {};
}

/// What is evaluated, and on what.
struct Subject {
  TrainConfig config;
  DatasetPair data;
  std::shared_ptr<Module> model;
  std::string title;
};

Subject open_checkpoint(const EvalOptions& o, const TensorFile& file, Console& console) {
  if (o.model || o.stem) {
    throw UsageError("--model, --stem: only for files that are not checkpoints of ntq-train; those name their model");
  }
  const RunCheckpoint checkpoint = read_run_checkpoint(file, o.checkpoint);
  const bool average = takes_average(checkpoint, o.checkpoint, parse_weighting(o.average, o.raw));
  TrainConfig recipe = checkpoint.config;
  if (const auto trained = preprocessing_record(file.metadata, o.checkpoint)) use_preprocessing(recipe, *trained);
  Subject s;
  s.config = merged(o, recipe);
  s.model = model_of(checkpoint, o.checkpoint, average);
  s.data = open_data(s.config, console, expected_classes(o, file, console), checkpoint.classes);
  check_data(s.data.val->info(), checkpoint, o.checkpoint);
  check_gray(s.config, s.data.val->info());
  s.title = concat(", epoch ", checkpoint.progress.epoch);
  if (checkpoint.has_ema()) s.title += ", " + weighting_text(checkpoint, average);
  return s;
}

/// What an export of ntq-export says of itself, and the command line of any file.
TrainConfig recipe_of(const EvalOptions& o, const TensorFile& file) {
  TrainConfig recipe;
  const auto said = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  recipe.dataset = o.dataset.value_or(said("ntq.dataset"));
  recipe.model = o.model.value_or(said("ntq.model"));
  if (recipe.dataset.empty() || recipe.model.empty()) {
    throw UsageError(
        concat(o.checkpoint, ": not a checkpoint of ntq-train; say what it is: --dataset NAME --model NAME"));
  }
  if (const auto trained = preprocessing_record(file.metadata, o.checkpoint)) {
    use_preprocessing(recipe, *trained);
    if (trained->crop != "whole") recipe.aug = trained->crop, recipe.image_size = trained->image_size;
    recipe.fast_decode = trained->fast_decode;
    recipe.stem = trained->stem;
  }
  take(recipe.stem, o.stem);
  return recipe;
}

Subject open_public_file(const EvalOptions& o, const TensorFile& file, Console& console) {
  if (o.average || o.raw) throw UsageError("--ema, --raw: only for checkpoints of ntq-train");
  Subject s;
  s.config = merged(o, recipe_of(o, file));
  const auto exported = file.metadata.find("ntq.exported");
  if (exported != file.metadata.end() && exported->second != "weights") {
    console.warn(o.checkpoint +
                 ": an export of quantized weights; the inputs of its layers are not quantized here, so "
                 "the checkpoint itself scores otherwise");
  }
  Weights weights = read_weights(file, o.checkpoint);
  const auto head = weights.tensors.find("fc.weight");
  const int64_t class_count =
      head == weights.tensors.end() || head->second.shape().rank() == 0 ? 0 : head->second.size(0);
  s.data = open_data(s.config, console, expected_classes(o, file, console), class_count);
  s.model = build_model(s.config, s.data.val->info().classes, s.data.val->info().channels);
  const LoadReport report =
      load_weights(*s.model, std::move(weights), {.path = o.checkpoint, .model = s.config.model, .new_head = false});
  if (!report.missing.empty()) {
    throw CheckpointError(concat(o.checkpoint, ": lacks ", report.missing.size(), " tensors of ", s.config.model,
                                 ", the first is '", report.missing[0], "'; is it of another model?"));
  }
  if (!report.left_over.empty()) {
    console.warn(concat(o.checkpoint, ": ", report.left_over.size(), " tensors have no place in ", s.config.model,
                        ", the first is '", report.left_over[0], "'"));
  }
  check_gray(s.config, s.data.val->info());
  s.model->eval();
  return s;
}

/// Logits and labels in the order of the images.
struct LogitsFile {
  std::vector<float> values;
  std::vector<int32_t> labels;

  void add(const Tensor& batch, const Tensor& of) {
    values.insert(values.end(), batch.f32(), batch.f32() + batch.numel());
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
  const TensorFile file = load_tensors(o.checkpoint);
  const Subject subject = is_of_run(file) ? open_checkpoint(o, file, console) : open_public_file(o, file, console);
  const auto& [config, data, model, title] = subject;
  if (o.threads) set_cpu_threads(static_cast<int>(*o.threads));
  const auto layers = report_layers(*model);
  console.headline(concat(config.model, " on ", config.dataset, ", ", precision_text(config), title));
  console.block(layer_table(layers));
  if (config.bn_recalibrate > 0) {
    if (!data.train) throw DataError(config.dataset + ": no training images to re-estimate batch norm from");
    DataLoader batches(data.train, loader_options(config));
    recalibrate_norms(*model, batches, config.bn_recalibrate);
    console.line(concat("batch norm re-estimated on ", config.bn_recalibrate, " training batches"));
  }

  LogitsFile logits;
  const auto start = std::chrono::steady_clock::now();
  DataLoader loader(data.val, in_order(loader_options(config)));
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
  console.line(concat(scores.images, " images in ", duration(seconds), ", ", fixed(speed, 0), " images/s"));
  if (!o.json) return;
  const QuantMeans means = quant_means(layers);
  print_json({{"checkpoint", o.checkpoint},
              {"dataset", config.dataset},
              {"model", config.model},
              {"images", scores.images},
              {"top1", scores.top1_percent()},
              {"top5", scores.top5_percent()},
              {"loss", scores.loss()},
              {"mean_step", means.step},
              {"mean_error", means.error},
              {"images_per_s", speed},
              {"layers", layers_to_json(layers)}});
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    EvalOptions options;
    if (parse(argc, argv, options)) run(options);
  });
}
