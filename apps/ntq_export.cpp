// ntq-export: a checkpoint's weights as a safetensors file with torchvision's and timm's names and layouts.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/checkpoint.h"
#include "apps/command.h"
#include "apps/console.h"
#include "apps/data_record.h"
#include "apps/json.h"
#include "apps/layer_text.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "train/weights.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

struct ExportOptions {
  std::string checkpoint, out;
  bool quantized = false, int8 = false, average = false, raw = false, overwrite = false, json = false;
};

bool parse(int argc, char** argv, ExportOptions& o) {
  CLI::App app(
      "Write a checkpoint's weights as a safetensors file for PyTorch: torchvision's and timm's names, filters as\n"
      "{out, in, height, width}. Full-precision weights, or with --quantized the values that the network computes "
      "with.");
  app.add_option("CHECKPOINT", o.checkpoint, "a last.bin or best.bin")->required()->type_name("");
  app.add_option("OUT", o.out, "the file to write")->required()->type_name("");
  app.add_flag("--quantized", o.quantized, "quantized weights, and the steps of weights and inputs");
  app.add_flag("--int8", o.int8, "the same, weights as int8 codes: value = code * step");
  app.add_flag("--ema", o.average, "the averaged weights: the default where there are any (--model-ema)");
  app.add_flag("--raw", o.raw, "the weights themselves, not their average");
  app.add_flag("--overwrite", o.overwrite, "replace OUT if it is there");
  app.add_flag("--json", o.json, "one JSON object on stdout, all else on stderr");
  return parse_or_answer(app, argc, argv);
}

void run(const ExportOptions& o) {
  Console console(false, o.json);
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
