// ntq-export: a checkpoint's weights as a safetensors file with torchvision's and timm's names and layouts, or its
// network as a deploy graph.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/checkpoint.h"
#include "apps/command.h"
#include "apps/console.h"
#include "apps/data_record.h"
#include "apps/deploy.h"
#include "apps/json.h"
#include "apps/layer_text.h"
#include "apps/ntq_export_onnx.h"
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
  std::optional<std::string> format, data_dir, dialect, weight_type;
  std::optional<int64_t> calibrate, limit_val;
  bool quantized = false, int8 = false, average = false, raw = false, overwrite = false, json = false;
};

bool parse(int argc, char** argv, ExportOptions& o) {
  CLI::App app(
      "Write a checkpoint's weights as a safetensors file for PyTorch: torchvision's and timm's names, filters as\n"
      "{out, in, height, width}. Full-precision weights, or with --quantized the values that the network computes\n"
      "with. Or the network itself, in integers: with --format packed for ntq::infer (OUT.ntqi), with --format onnx "
      "for\n"
      "ONNX Runtime, OpenVINO and others (OUT.onnx).");
  app.add_option("CHECKPOINT", o.checkpoint, "a last.bin or best.bin; for onnx a .ntqi file too")
      ->required()
      ->type_name("");
  app.add_option("OUT", o.out, "the file to write")->required()->type_name("");
  app.add_option("--format", o.format, "weights, packed or onnx [as OUT ends: .ntqi, .onnx, else weights]")
      ->type_name("NAME");
  app.add_option("--dialect", o.dialect,
                 "of ONNX: plain (OpenVINO), ort (ONNX Runtime's int8: 8-bit sums), exact (to check a runtime, slow),\n"
                 "trt (TensorRT's form; untested on TensorRT) [plain]")
      ->type_name("NAME");
  app.add_option("--weight-type", o.weight_type, "of ONNX: int8, or int4 or int2 where layers have as few bits [int8]")
      ->type_name("NAME");
  app.add_option("--calibrate", o.calibrate, "ort, trt: training batches that ranges of sums are taken from [4]")
      ->type_name("N");
  app.add_option("--limit-val", o.limit_val, "ort, trt: count changed predictions on the first N images only")
      ->type_name("N");
  app.add_option("--data-dir", o.data_dir,
                 "data set: of ort and trt, and of a checkpoint that does not say how images were prepared")
      ->type_name("DIR");
  app.add_flag("--quantized", o.quantized, "quantized weights, and the steps of weights and inputs");
  app.add_flag("--int8", o.int8, "the same, weights as int8 codes: value = code * step");
  app.add_flag("--ema", o.average, "the averaged weights: the default where there are any (--model-ema)");
  app.add_flag("--raw", o.raw, "the weights themselves, not their average");
  app.add_flag("--overwrite", o.overwrite, "replace OUT if it is there");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
  return parse_or_answer(app, argc, argv);
}

enum class Format { weights, packed, onnx };

Format format_of(const ExportOptions& o) {
  const auto ending = std::filesystem::path(o.out).extension();
  if (!o.format) return ending == ".ntqi" ? Format::packed : ending == ".onnx" ? Format::onnx : Format::weights;
  if (*o.format == "weights") return Format::weights;
  if (*o.format == "packed") return Format::packed;
  if (*o.format == "onnx") return Format::onnx;
  throw UsageError("--format: expected weights, packed or onnx, found '" + *o.format + "'");
}

OnnxRequest onnx_request(const ExportOptions& o) {
  return {o.checkpoint, o.out, o.dialect, o.weight_type, o.data_dir, o.calibrate, o.limit_val, o.json};
}

int64_t float_bytes(const infer::Graph& graph) {
  int64_t values = 0;
  for (const infer::Node& node : graph.nodes) values += node.weights.size() + static_cast<int64_t>(node.bias.size());
  return 4 * values;
}

/// What the network of a packed file can be written as.
void export_again(const ExportOptions& o, Format format, Console& console) {
  if (o.average || o.raw) throw UsageError("--ema, --raw: not for a .ntqi file, which is a network as it is");
  if (format == Format::packed) throw UsageError(o.checkpoint + ": is a packed file already; copy it");
  if (format == Format::weights) {
    throw UsageError(o.checkpoint +
                     ": holds codes, with batch norm in their scales, and no weights as they were trained; export "
                     "those from the checkpoint");
  }
  const Lowered lowered{infer::read_ntqi(o.checkpoint), {}};
  TrainConfig recipe = data_recipe(lowered.graph);
  export_onnx(onnx_request(o), lowered, recipe.dataset.empty() ? recipe : resolve(recipe), console);
}

void export_packed(const ExportOptions& o, const TrainConfig& config, const Lowered& lowered, Console& console) {
  infer::write_ntqi(o.out, lowered.graph);
  const auto bytes = std::filesystem::file_size(o.out);
  const int64_t as_floats = float_bytes(lowered.graph);
  console.line(lowering_text(lowered));
  console.line(concat(o.out, ": ", lowered.graph.nodes.size(), " nodes of ", config.model, ", ",
                      bytes_text(static_cast<double>(bytes)), ", ",
                      fixed(static_cast<double>(as_floats) / static_cast<double>(bytes), 1), " times smaller than the ",
                      bytes_text(static_cast<double>(as_floats)), " of float32"));
  if (!o.json) return;
  Json floats = Json::object();
  for (const FloatLayer& layer : lowered.float_layers) floats[layer.name] = layer.why;
  print_json({{"checkpoint", o.checkpoint},
              {"file", o.out},
              {"format", "packed"},
              {"model", config.model},
              {"nodes", lowered.graph.nodes.size()},
              {"integer_layers", lowered.integer_layers()},
              {"float_layers", floats},
              {"bytes", bytes},
              {"float32_bytes", as_floats}});
}

/// How images are prepared and what classes are called, where an older release did not write it down: by the data set,
/// or not at all.
void add_record(Metadata& metadata, const ExportOptions& o, const RunCheckpoint& checkpoint, Console& console) {
  if (data_record(metadata, o.checkpoint) && preprocessing_record(metadata, o.checkpoint)) return;
  try {
    const ImageRecord found = image_record(checkpoint, o.checkpoint, console);
    put_record(metadata, {found.classes, {}, {}}, found.preprocessing);
  } catch (const DataError&) {
    if (preprocessing_record(metadata, o.checkpoint)) return console.warn(unknown_classes(o.checkpoint));
    console.warn(concat(o.checkpoint, ": of an older release, without preprocessing and class names, and so is ", o.out,
                        "; --data-dir names the folder of ", checkpoint.config.dataset, ", which has them"));
  }
}

void run(const ExportOptions& o) {
  Console console(false, o.json);
  const Format format = format_of(o);
  if (format != Format::weights && (o.quantized || o.int8))
    throw UsageError("--quantized, --int8: only of --format weights; the other formats have codes");
  if (format != Format::onnx && (o.dialect || o.weight_type || o.calibrate || o.limit_val))
    throw UsageError("--dialect, --weight-type, --calibrate, --limit-val: only of --format onnx");
  if (format == Format::onnx) check_request(onnx_request(o));
  std::error_code none;
  if (std::filesystem::equivalent(o.checkpoint, o.out, none)) {
    throw UsageError(o.out + ": is the checkpoint itself; name another file");
  }
  if (!o.overwrite && std::filesystem::exists(o.out)) {
    throw UsageError(o.out + ": exists already; name another file, or give --overwrite");
  }
  check_writable(o.out);
  if (infer::is_ntqi(o.checkpoint)) return export_again(o, format, console);
  RunCheckpoint checkpoint = load_run_checkpoint(o.checkpoint);
  const TrainConfig& config = checkpoint.config;
  checkpoint.config.data_dir = o.data_dir;
  const bool quantized = o.quantized || o.int8;
  if (quantized && !config.quantized()) {
    throw UsageError(
        concat(o.int8 ? "--int8: " : "--quantized: ", o.checkpoint, " is in full precision; leave the option out"));
  }
  const bool average = takes_average(checkpoint, o.checkpoint, parse_weighting(o.average, o.raw));
  const auto model = model_of(checkpoint, o.checkpoint, average);
  if (format != Format::weights) {
    if (checkpoint.has_ema()) console.line(weighting_text(checkpoint, average));
    const ImageRecord record = image_record(checkpoint, o.checkpoint, console);
    const Lowered lowered = deploy(checkpoint, *model, record, average);
    if (format == Format::onnx) return export_onnx(onnx_request(o), lowered, config, console);
    return export_packed(o, config, lowered, console);
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
  add_record(file.metadata, o, checkpoint, console);
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
