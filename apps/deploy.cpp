#include "apps/deploy.h"

#include <cstdlib>

#include "apps/json.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"
#include "infer/ntqi.h"
#include "models/model.h"

namespace ntq::apps {
namespace {

constexpr size_t kShownName = 60, kShownNote = 400;  // on a screen

std::string text(const infer::MapShape& s) { return concat(s.height, "x", s.width, "x", s.channels); }

std::string weights_text(const infer::Weights& w) {
  const std::string sizes = w.kernel_h * w.kernel_w > 1 ? concat(w.kernel_h, "x", w.kernel_w, " ", w.in, ">", w.out)
                                                        : concat(w.in, ">", w.out);
  std::string out = sizes + (w.bits == 32 ? ", floats" : concat(", ", w.bits, " bits"));
  if (!w.levels.empty()) out += ", levels";
  if (w.halves != 0) out += concat(w.halves > 0 ? " + " : " - ", std::abs(w.halves) / 2, w.halves % 2 == 0 ? "" : ".5");
  return out;
}

std::string codes_text(const infer::InputCodes& c) {
  if (!c.present()) return "floats";
  std::string out = concat(c.bits, " bits, ", c.low, " to ", c.high);
  if (!c.levels.empty()) return out + ", levels";
  out += c.thresholds.empty() ? concat(", step ", general(static_cast<double>(c.step), 4)) : ", thresholds";
  return c.offset == 0 ? out : out + concat(", offset ", general(static_cast<double>(c.offset), 4));
}

std::string input_name(const infer::Graph& graph, int value) {
  return value == infer::kImage ? "image" : printable(graph.nodes[static_cast<size_t>(value)].name, kShownName);
}

}  // namespace

ImageRecord image_record(const RunCheckpoint& checkpoint, const std::string& path, Console& console) {
  const auto pixels = preprocessing_record(checkpoint.file.metadata, path);
  const auto data = data_record(checkpoint.file.metadata, path);
  if (pixels && data) return {*pixels, data->classes};
  TrainConfig config = checkpoint.config;
  config.limit_train.reset(), config.limit_val.reset();
  const DatasetPair found = open_data(config, console, {}, checkpoint.classes);
  const DatasetInfo& info = found.val->info();
  const bool by_folders = config.dataset == "folder" || config.dataset == "imagenet";
  if (!data && by_folders) console.warn(unknown_classes(path));
  if (!pixels || !by_folders)
    console.line(path + ": of an older release, without preprocessing and class names: they are the data set's");
  return {pixels ? *pixels : preprocessing_of(config, info), data ? data->classes : info.class_names};
}

Lowered deploy(const RunCheckpoint& checkpoint, Module& model, const ImageRecord& record, bool average) {
  const Preprocessing& p = record.preprocessing;
  Lowered out = lower(model, {p.image_size, p.image_size, p.channels});
  out.graph.preprocessing = {.mean = p.mean, .deviation = p.deviation, .crop = p.crop, .fast_decode = p.fast_decode};
  out.graph.classes = record.classes;
  const TrainConfig& c = checkpoint.config;
  const Progress& progress = checkpoint.progress;
  auto& notes = out.graph.notes;
  notes = {{"model", c.model},
           {"dataset", c.dataset},
           {"precision", precision_text(c)},
           {"epoch", std::to_string(progress.epoch)}};
  const bool measured = average == checkpoint.has_ema();
  if (measured && progress.best_epoch == progress.epoch && progress.step == 0)
    notes["top1"] = fixed(progress.best_top1, 2);
  const auto data = data_record(checkpoint.file.metadata, "");
  if (data && data->val.images > 0) notes["images"] = std::to_string(data->val.images);
  return out;
}

TrainConfig data_recipe(const infer::Graph& graph) {
  const infer::Preprocessing& p = graph.preprocessing;
  TrainConfig recipe;
  const auto dataset = graph.notes.find("dataset");
  recipe.dataset = dataset == graph.notes.end() ? "" : dataset->second;
  recipe.model = model_names().front();  // options are checked with one
  use_preprocessing(recipe, {p.mean, p.deviation, graph.image.height, graph.image.channels, p.crop, "", p.fast_decode});
  if (p.crop != "whole") recipe.aug = p.crop, recipe.image_size = graph.image.height;
  recipe.fast_decode = p.fast_decode;
  return recipe;
}

Network open_network(const std::string& path, Images images, const std::optional<std::string>& data_dir,
                     Console& console) {
  if (infer::is_ntqi(path)) return {infer::read_ntqi(path)};
  RunCheckpoint checkpoint = load_run_checkpoint(path);
  const bool average = takes_average(checkpoint, path, Weighting::automatic);
  const auto model = model_of(checkpoint, path, average);
  if (checkpoint.has_ema()) console.line(weighting_text(checkpoint, average));
  ImageRecord record;
  if (images == Images::as_trained) {
    checkpoint.config.data_dir = data_dir;
    record = image_record(checkpoint, path, console);
  } else if (const auto pixels = preprocessing_record(checkpoint.file.metadata, path)) {
    record.preprocessing = *pixels;
  } else {
    record.preprocessing.deviation = {1, 1, 1};
    record.preprocessing.image_size = checkpoint.config.photographs() ? checkpoint.config.image_size : 32;
    record.preprocessing.channels = checkpoint.channels;
    record.preprocessing.crop = "whole";
  }
  return {deploy(checkpoint, *model, record, average).graph, model};
}

std::vector<std::pair<std::string, std::string>> describe_graph(const infer::Graph& graph) {
  const infer::Preprocessing& p = graph.preprocessing;
  const auto channels = [&](const std::array<float, 3>& values) {
    std::vector<std::string> out;
    for (int64_t c = 0; c < graph.image.channels; ++c)
      out.push_back(general(static_cast<double>(values[static_cast<size_t>(c)])));
    return join(out, ",");
  };
  int integers = 0, floats = 0;
  for (const infer::Node& node : graph.nodes) {
    if (node.has_weights()) ++(node.is_integer() ? integers : floats);
  }
  std::vector<std::pair<std::string, std::string>> out = {
      {"image",
       concat(text(graph.image), ", ", p.crop, ", mean ", channels(p.mean), ", deviation ", channels(p.deviation))},
      {"classes",
       graph.classes.empty()
           ? "without names"
           : concat(graph.classes.size(), ": ",
                    join_first(graph.classes, 5, [](const std::string& name) { return printable(name, kShownName); }))},
      {"layers", concat(integers, " in integers, ", floats, " in floats")}};
  for (const auto& [key, value] : graph.notes) out.emplace_back(key, printable(value, kShownNote));
  return out;
}

std::string node_table(const infer::Graph& graph) {
  const std::vector<infer::MapShape> shapes = infer::check_graph(graph, "graph");
  std::vector<std::vector<std::string>> rows = {{"node", "does", "gives", "weights", "input", "from"}};
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const infer::Node& node = graph.nodes[i];
    std::string does = infer::op_name(node.op);
    if (node.has_weights() && node.stride > 1) does += concat(" /", node.stride);
    if (node.may_quantize() && node.inputs.size() == 2) does += " + " + input_name(graph, node.inputs[1]);
    if (node.relu) does += ", relu";
    rows.push_back({printable(node.name, kShownName), does, text(shapes[i]),
                    node.has_weights() ? weights_text(node.weights) : "",
                    node.may_quantize() ? codes_text(node.codes) : "", input_name(graph, node.inputs[0])});
  }
  return table(rows);
}

nlohmann::ordered_json nodes_to_json(const infer::Graph& graph) {
  const std::vector<infer::MapShape> shapes = infer::check_graph(graph, "graph");
  Json out = Json::array();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const infer::Node& node = graph.nodes[i];
    Json row = {{"name", node.name}, {"op", infer::op_name(node.op)}, {"inputs", Json::array()}};
    for (const int value : node.inputs)
      row["inputs"].push_back(value == infer::kImage ? "image" : graph.nodes[static_cast<size_t>(value)].name);
    row["shape"] = {shapes[i].height, shapes[i].width, shapes[i].channels};
    row["relu"] = node.relu;
    if (node.has_weights()) {
      const infer::Weights& w = node.weights;
      row["weights"] = {{"shape", {w.out, w.kernel_h, w.kernel_w, w.in}},
                        {"bits", w.bits},
                        {"halves", w.halves},
                        {"levels", !w.levels.empty()}};
      row["codes"] = Json(nullptr);
      row["integer"] = node.is_integer();
      row["stride"] = node.stride;
      row["pad"] = node.pad;
    }
    const infer::InputCodes& c = node.codes;
    if (node.may_quantize() && c.present())
      row["codes"] = {{"bits", c.bits}, {"low", c.low}, {"high", c.high}, {"offset", c.offset}};
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace ntq::apps
