#include "apps/eval_subject.h"

#include "apps/checkpoint.h"
#include "apps/deploy.h"
#include "apps/json.h"
#include "apps/layer_text.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"
#include "infer/ntqi.h"
#include "models/model.h"
#include "train/deployed.h"
#include "train/weights.h"

namespace ntq::apps {
namespace {

template <class T>
void take_given(T& field, const std::optional<T>& given) {
  if (given) field = *given;
}

/// `recipe` with what the command line names.
TrainConfig merged(const EvalOptions& o, TrainConfig c) {
  take_given(c.dataset, o.dataset);
  take_given(c.aug, o.aug);
  take_given(c.image_size, o.image_size);
  if (o.mean) c.mean = o.mean;
  if (o.std) c.std = o.std;
  c.data_dir = o.data_dir;
  c.val_labels = o.val_labels;
  c.max_bad_images = o.max_bad_images;
  c.limit_train = o.limit_train;
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

void set_layers(Subject& s) {
  s.layers = report_layers(*s.model);
  s.means = weight_means(weight_figures(*s.model));
  s.table = layer_table(s.layers) + skip_table(report_skips(*s.model));
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
  s.precision = precision_text(s.config);
  s.title = concat(", epoch ", checkpoint.progress.epoch);
  set_layers(s);
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
  take_given(recipe.stem, o.stem);
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
  s.precision = precision_text(s.config);
  set_layers(s);
  return s;
}

/// A file of ntq-export --format packed says all itself.
Subject open_packed(const EvalOptions& o, Console& console) {
  if (o.model || o.stem || o.average || o.raw || o.bn_recalibrate > 0) {
    throw UsageError(
        "--model, --stem, --ema, --raw, --bn-recalibrate: not for a .ntqi file, which is a network as it is");
  }
  infer::Graph graph = infer::read_ntqi(o.checkpoint);
  const auto note = [&](const char* key) {
    const auto found = graph.notes.find(key);
    return found == graph.notes.end() ? std::string() : found->second;
  };
  TrainConfig recipe = data_recipe(graph);
  if (o.dataset) recipe.dataset = *o.dataset;
  if (recipe.dataset.empty()) throw UsageError(o.checkpoint + ": does not name its data set; give --dataset NAME");
  const infer::MapShape image = graph.image;
  Subject s;
  const std::string model = note("model").empty() ? "a network" : printable(note("model"), 80);
  s.precision = printable(note("precision"), 80);
  s.table = node_table(graph);
  s.nodes = nodes_to_json(graph);
  if (!note("epoch").empty()) s.title = ", epoch " + printable(note("epoch"), 20);
  if (graph.classes.empty()) console.warn(unknown_classes(o.checkpoint));
  const std::vector<std::string> classes = o.allow_data_change ? std::vector<std::string>() : graph.classes;
  const auto deployed = std::make_shared<Deployed>(infer::Model(std::move(graph), o.checkpoint));
  s.model = deployed;
  s.config = merged(o, recipe);
  s.config.model = model;
  s.data = open_data(s.config, console, classes, deployed->model().classes());
  const DatasetInfo& info = s.data.val->info();
  if (infer::MapShape{info.height, info.width, info.channels} != image || info.classes != deployed->model().classes()) {
    throw DataError(concat(o.checkpoint, ": reads images of ", image.height, "x", image.width, "x", image.channels,
                           " and knows ", deployed->model().classes(), " classes; ", info.name, " has ", info.height,
                           "x", info.width, "x", info.channels, " and ", info.classes));
  }
  return s;
}

}  // namespace

Subject open_subject(const EvalOptions& o, Console& console) {
  if (infer::is_ntqi(o.checkpoint)) {
    const DeviceChoice device = choose_cpu(o.device, "a .ntqi file is a network of integers");
    Subject s = open_packed(o, console);
    s.device = device;
    return s;
  }
  const DeviceChoice device = choose_device(o.device);
  const TensorFile file = load_tensors(o.checkpoint);
  Subject s = is_of_run(file) ? open_checkpoint(o, file, console) : open_public_file(o, file, console);
  s.model->to(device.device);
  s.device = device;
  return s;
}

}  // namespace ntq::apps
