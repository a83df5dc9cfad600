// ntq-export: a checkpoint's weights as a safetensors file with torchvision's and timm's names and layouts, or its
// network as a deploy graph.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/checkpoint.h"
#include "apps/command.h"
#include "apps/console.h"
#include "apps/data_record.h"
#include "apps/deploy.h"
#include "apps/json.h"
#include "apps/layer_text.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "infer/ntqi.h"
#include "train/weights.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

struct ExportOptions {
  std::string checkpoint, out;
  std::optional<std::string> format, data_dir;
  bool quantized = false, int8 = false, average = false, raw = false, overwrite = false, json = false;
};

bool parse(int argc, char** argv, ExportOptions& o) {
  CLI::App app(
      "Write a checkpoint's weights as a safetensors file for PyTorch: torchvision's and timm's names, filters as\n"
      "{out, in, height, width}. Full-precision weights, or with --quantized the values that the network computes\n"
      "with. Or with --format packed the network itself, in integers, for ntq::infer: OUT.ntqi.");
  app.add_option("CHECKPOINT", o.checkpoint, "a last.bin or best.bin")->required()->type_name("");
  app.add_option("OUT", o.out, "the file to write")->required()->type_name("");
  app.add_option("--format", o.format, "weights or packed [as OUT ends: packed for .ntqi, else weights]")
      ->type_name("NAME");
  app.add_option("--data-dir", o.data_dir, "data set of a checkpoint that does not say how images were prepared")
      ->type_name("DIR");
  app.add_flag("--quantized", o.quantized, "quantized weights, and the steps of weights and inputs");
  app.add_flag("--int8", o.int8, "the same, weights as int8 codes: value = code * step");
  app.add_flag("--ema", o.average, "the averaged weights: the default where there are any (--model-ema)");
  app.add_flag("--raw", o.raw, "the weights themselves, not their average");
  app.add_flag("--overwrite", o.overwrite, "replace OUT if it is there");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
  return parse_or_answer(app, argc, argv);
}

enum class Format { weights, packed };

Format format_of(const ExportOptions& o) {
  if (!o.format) return std::filesystem::path(o.out).extension() == ".ntqi" ? Format::packed : Format::weights;
  if (*o.format == "weights") return Format::weights;
  if (*o.format == "packed") return Format::packed;
  throw UsageError("--format: expected weights or packed, found '" + *o.format + "'");
}

int64_t float_bytes(const infer::Graph& graph) {
  int64_t values = 0;
  for (const infer::Node& node : graph.nodes) values += node.weights.size() + static_cast<int64_t>(node.bias.size());
  return 4 * values;
}

void export_packed(const ExportOptions& o, RunCheckpoint checkpoint, Module& model, Console& console) {
  checkpoint.config.data_dir = o.data_dir;
  const ImageRecord record = image_record(checkpoint, o.checkpoint, console);
  const Lowered lowered = deploy(checkpoint, model, record);
  infer::write_ntqi(o.out, lowered.graph);
  const auto bytes = std::filesystem::file_size(o.out);
  const int64_t as_floats = float_bytes(lowered.graph);
  console.line(lowering_text(lowered));
  console.line(concat(o.out, ": ", lowered.graph.nodes.size(), " nodes of ", checkpoint.config.model, ", ",
                      bytes_text(static_cast<double>(bytes)), ", ",
                      fixed(static_cast<double>(as_floats) / static_cast<double>(bytes), 1), " times smaller than the ",
                      bytes_text(static_cast<double>(as_floats)), " of float32"));
  if (!o.json) return;
  Json floats = Json::object();
  for (const FloatLayer& layer : lowered.float_layers) floats[layer.name] = layer.why;
  print_json({{"checkpoint", o.checkpoint},
              {"file", o.out},
              {"format", "packed"},
              {"model", checkpoint.config.model},
              {"nodes", lowered.graph.nodes.size()},
              {"integer_layers", lowered.integer_layers()},
              {"float_layers", floats},
              {"bytes", bytes},
              {"float32_bytes", as_floats}});
}

void run(const ExportOptions& o) {
  Console console(false, o.json);
  const Format format = format_of(o);
  if (format != Format::weights && (o.quantized || o.int8))
    throw UsageError("--quantized, --int8: only of --format weights; a packed file has codes");
  std::error_code none;
  if (std::filesystem::equivalent(o.checkpoint, o.out, none)) {
    throw UsageError(o.out + ": is the checkpoint itself; name another file");
  }
  if (!o.overwrite && std::filesystem::exists(o.out)) {
    throw UsageError(o.out + ": exists already; name another file, or give --overwrite");
  }
  check_writable(o.out);
  const RunCheckpoint checkpoint = load_run_checkpoint(o.checkpoint);
  const TrainConfig& config = checkpoint.config;
  const bool quantized = o.quantized || o.int8;
  if (quantized && !config.quantized()) {
    throw UsageError(
        concat(o.int8 ? "--int8: " : "--quantized: ", o.checkpoint, " is in full precision; leave the option out"));
  }
  const bool average = takes_average(checkpoint, o.checkpoint, parse_weighting(o.average, o.raw));
  const auto model = model_of(checkpoint, o.checkpoint, average);
  if (format == Format::packed) {
    if (checkpoint.has_ema()) console.line(weighting_text(checkpoint, average));
    return export_packed(o, checkpoint, *model, console);
  }
  TensorFile file;
  file.tensors = public_weights(*model, o.int8 ? Export::codes : o.quantized ? Export::quantized : Export::weights);
  file.metadata = {{"format", "pt"},
                   {"ntq.exported", o.int8        ? "int8"
                                    : o.quantized ? "quantized"
                                                  : "weights"},
                   {"ntq.model", config.model},
                   {"ntq.dataset", config.dataset},
                   {"ntq.classes", std::to_string(checkpoint.classes)}};
  for (const char* key : {"ntq.data", "ntq.preprocessing"}) {
    const auto found = checkpoint.file.metadata.find(key);
    if (found != checkpoint.file.metadata.end()) file.metadata.insert(*found);
  }
  if (quantized) file.metadata["ntq.layers"] = dump_json(quantization_json(*model));
  if (!data_record(file.metadata, o.checkpoint)) console.warn(unknown_classes(o.checkpoint));
  save_tensors(o.out, file);
  if (checkpoint.has_ema()) console.line(weighting_text(checkpoint, average));
  size_t bytes = 0;
  for (const auto& [name, tensor] : file.tensors) bytes += tensor.bytes();
  console.line(concat(o.out, ": ", file.tensors.size(), " tensors of ", config.model, ", ",
                      bytes_text(static_cast<double>(bytes)), quantized ? ", " + precision_text(config) : ""));
  if (!o.json) return;
  print_json({{"checkpoint", o.checkpoint},
              {"file", o.out},
              {"model", config.model},
              {"quantized", quantized},
              {"tensors", file.tensors.size()},
              {"bytes", bytes}});
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    ExportOptions options;
    if (parse(argc, argv, options)) run(options);
  });
}
