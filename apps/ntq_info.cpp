// ntq-info: what a checkpoint holds, without data; or how this program was built.
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/checkpoint.h"
#include "apps/command.h"
#include "apps/layer_report.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "data/image_file.h"
#include "engine/backend/backend.h"
#include "engine/check.h"
#include "engine/printable.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

using Json = nlohmann::ordered_json;

struct InfoOptions {
  std::string checkpoint;
  bool build = false, tensors = false, json = false;
};

bool parse(int argc, char** argv, InfoOptions& o) {
  CLI::App app("Show what a checkpoint holds: model, settings, progress, layers, sizes. Needs no data.");
  app.add_option("CHECKPOINT", o.checkpoint, "a last.bin or best.bin, or any safetensors file")->type_name("");
  app.add_flag("--tensors", o.tensors, "list every tensor");
  app.add_flag("--build", o.build, "show compiler, instruction set and backends of this program instead");
  app.add_flag("--json", o.json, "one JSON object on stdout");
  if (!parse_or_answer(app, argc, argv)) return false;
  if (o.build == !o.checkpoint.empty()) throw UsageError("expected a CHECKPOINT or --build (see --help)");
  return true;
}

std::string compiler() {
#if defined(__clang__)
  return std::string("clang ") + __clang_version__;
#elif defined(__GNUC__)
  return std::string("g++ ") + __VERSION__;
#else
  return "unknown";
#endif
}

size_t bytes_of(const NamedTensors& tensors) {
  size_t sum = 0;
  for (const auto& [name, tensor] : tensors) sum += tensor.bytes();
  return sum;
}

/// Bytes of the weights at their bits; biases and batch norm stay at 32 bits.
double deployed_bytes(const std::vector<LayerReport>& layers, int64_t parameters) {
  double bits = 0;
  for (const auto& layer : layers) {
    bits += static_cast<double>(layer.weights) * layer.weight_bits;
    parameters -= layer.weights;
  }
  return (bits + 32.0 * static_cast<double>(parameters)) / 8;
}

Json tensors_to_json(const NamedTensors& tensors) {
  Json out = Json::array();
  for (const auto& [name, tensor] : tensors) {
    out.push_back({{"name", name}, {"dtype", dtype_name(tensor.dtype())}, {"shape", tensor.shape().sizes()}});
  }
  return out;
}

std::string tensor_list(const NamedTensors& tensors) {
  std::vector<std::vector<std::string>> rows = {{"tensor", "type", "shape"}};
  for (const auto& [name, tensor] : tensors) {
    rows.push_back({printable(name), std::string(dtype_name(tensor.dtype())), tensor.shape().str()});
  }
  return table(rows);
}

/// The settings and progress lines, as (name, value).
std::vector<std::pair<std::string, std::string>> describe(const Checkpoint& c, int64_t parameters, double deployed) {
  const CheckpointInfo& info = c.info;
  const Progress& p = info.progress;
  const auto size = [](const NamedTensors& t) { return bytes_text(static_cast<double>(bytes_of(t))); };
  return {{"model", concat(info.config.model, ", ", parameters, " parameters")},
          {"data set", concat(info.config.dataset, ", ", info.classes, " classes, ", info.channels, " channels")},
          {"precision", precision_text(info.config)},
          {"epoch", concat(p.epoch, " of ", info.config.epochs, p.step > 0 ? concat(", step ", p.step) : "")},
          {"best", p.best_epoch == 0 ? "none yet" : concat(fixed(p.best_top1, 2), "% in epoch ", p.best_epoch)},
          {"seed", std::to_string(info.config.seed)},
          {"tensors", concat(size(c.model), " model, ", size(c.optimizer), " optimizer, ", size(c.ema), " average")},
          {"deployed", bytes_text(deployed) + " with the weights at their bits"}};
}

void show_checkpoint(const InfoOptions& o) {
  const TensorFile file = load_tensors(o.checkpoint);
  if (!is_ntq_checkpoint(file)) {
    if (o.json) {
      print_json(
          {{"checkpoint", o.checkpoint}, {"metadata", file.metadata}, {"tensors", tensors_to_json(file.tensors)}});
    } else {
      std::cout << "safetensors file, not written by ntq-train\n";
      for (const auto& [key, value] : file.metadata) std::cout << printable(key) << ": " << printable(value) << '\n';
      std::cout << tensor_list(file.tensors);
    }
    return;
  }
  const Checkpoint c = read_checkpoint(file, o.checkpoint);
  const auto model = model_of(c, o.checkpoint, false);
  const auto layers = report_layers(*model);
  const double deployed = deployed_bytes(layers, model->parameter_count());
  if (o.json) {
    Json out = {{"checkpoint", o.checkpoint}, {"metadata", c.file.metadata}};
    out["parameters"] = model->parameter_count();
    out["bytes"] = {{"model", bytes_of(c.model)},
                    {"optimizer", bytes_of(c.optimizer)},
                    {"average", bytes_of(c.ema)},
                    {"deployed", static_cast<int64_t>(deployed)}};
    out["layers"] = layers_to_json(layers);
    if (o.tensors) out["tensors"] = tensors_to_json(c.file.tensors);
    print_json(out);
    return;
  }
  for (const auto& [name, value] : describe(c, model->parameter_count(), deployed)) {
    std::cout << name << std::string(11 - name.size(), ' ') << printable(value) << '\n';
  }
  std::cout << "config     " << printable(c.file.metadata.at("ntq.config")) << "\n\n" << layer_table(layers);
  if (o.tensors) std::cout << '\n' << tensor_list(c.file.tensors);
}

void show_build(const InfoOptions& o) {
  const std::string cpu = backend_for(Device{}).describe();
  if (o.json) {
    print_json({{"version", version()},
                {"build_type", build_type()},
                {"compiler", compiler()},
                {"isa", cpu_isa()},
                {"threads", cpu_threads()},
                {"backends", {cpu}},
                {"jpeg", jpeg_decoder()}});
    return;
  }
  std::cout << "version    " << version() << ", " << build_type() << "\ncompiler   " << compiler() << "\nisa        "
            << cpu_isa() << " (NTQ_CPU_ISA chooses another)\nbackends   " << cpu << "\njpeg       " << jpeg_decoder()
            << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    InfoOptions options;
    if (!parse(argc, argv, options)) return;
    options.build ? show_build(options) : show_checkpoint(options);
  });
}
