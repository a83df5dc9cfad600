// ntq-info: what a checkpoint holds, without data; or how this program was built.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>

#include "apps/checkpoint.h"
#include "apps/command.h"
#include "apps/data_record.h"
#include "apps/data_text.h"
#include "apps/deploy.h"
#include "apps/graph_report.h"
#include "apps/json.h"
#include "apps/layer_text.h"
#include "apps/start_block.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"
#include "data/image_file.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/registry.h"
#include "infer/ntqi.h"

using namespace ntq;
using namespace ntq::apps;

namespace {

constexpr size_t kLongestName = 120, kLongestValue = 400, kLongestConfig = 4000;  // on a screen; --json has all

struct InfoOptions {
  std::string checkpoint;
  bool build = false, tensors = false, graph = false, json = false;
};

bool parse(int argc, char** argv, InfoOptions& o) {
  CLI::App app("Show what a checkpoint holds: model, settings, progress, layers, sizes. Needs no data.");
  app.add_option("CHECKPOINT", o.checkpoint, "a last.bin or best.bin, a .ntqi file, or any safetensors file")
      ->type_name("");
  app.add_flag("--tensors", o.tensors, "list every tensor");
  app.add_flag("--graph", o.graph, "list what the network computes, op by op");
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

/// Of all tensors, those too that the library has no type for.
Json tensors_to_json(const safetensors::Header& header) {
  Json out = Json::array();
  for (const auto& entry : header.entries) {
    out.push_back({{"name", entry.name}, {"dtype", entry.dtype}, {"shape", entry.sizes}});
    if (!readable(entry)) out.back()["skipped"] = true;
  }
  return out;
}

std::string tensor_list(const safetensors::Header& header) {
  std::vector<std::vector<std::string>> rows = {{"tensor", "type", "shape"}};
  size_t skipped = 0;
  for (const auto& entry : header.entries) {
    rows.push_back({printable(entry.name, kLongestName), entry.dtype, printable(entry.shape(), kLongestName)});
    skipped += readable(entry) ? 0 : 1;
  }
  return table(rows) + (skipped == 0 ? ""
                                     : concat(skipped,
                                              " of them of types or shapes that are skipped when weights "
                                              "are read\n"));
}

void print_lines(const std::vector<std::pair<std::string, std::string>>& lines) {
  constexpr size_t kWidth = 11;
  for (const auto& [name, value] : lines) {
    const std::string shown = printable(name, kLongestName);
    std::cout << shown << std::string(shown.size() < kWidth ? kWidth - shown.size() : 1, ' ') << printable(value)
              << '\n';
  }
}

bool says_data(const safetensors::Header& header) {
  return header.metadata.contains("ntq.data") || header.metadata.contains("ntq.preprocessing");
}

/// The two objects as such, beside the metadata's texts.
void add_data(Json& out, const safetensors::Header& header, const std::string& path) {
  out["data"] = metadata_object(header.metadata, "ntq.data", path);
  out["preprocessing"] = metadata_object(header.metadata, "ntq.preprocessing", path);
}

/// The settings and progress lines, as (name, value).
std::vector<std::pair<std::string, std::string>> describe(const RunCheckpoint& c, int64_t parameters, double deployed) {
  const Progress& p = c.progress;
  const auto size = [](const NamedTensors& t) { return bytes_text(static_cast<double>(bytes_of(t))); };
  std::vector<std::pair<std::string, std::string>> lines = {
      {"model", concat(c.config.model, ", ", parameters, " parameters")},
      {"data set", concat(c.config.dataset, ", ", c.classes, " classes, ", c.channels, " channels")},
      {"precision", precision_text(c.config)},
      {"epoch", concat(p.epoch, " of ", c.config.epochs, p.step > 0 ? concat(", step ", p.step) : "")},
      {"best", p.best_epoch == 0 ? "none yet" : concat(fixed(p.best_top1, 2), "% in epoch ", p.best_epoch)},
      {"seed", std::to_string(c.config.seed)},
      {"tensors", concat(size(c.model), " model, ", size(c.optimizer), " optimizer, ", size(c.ema), " average, ",
                         size(c.statistics), " statistics")},
      {"deployed", bytes_text(deployed) + " with the weights at their bits"}};
  if (!c.config.bits_of.empty()) lines.insert(lines.begin() + 3, {"bits of", layers_text(c.config.bits_of)});
  return lines;
}

/// What the network does with one image of the size that it was trained on.
Graph graph_of(Module& model, const RunCheckpoint& c) {
  const auto trained = preprocessing_record(c.file.metadata, "");
  const int64_t side = trained ? trained->image_size : c.config.photographs() ? c.config.image_size : 32;
  return record_graph(model, Tensor::zeros({1, side, side, c.channels}));
}

void show_file_of_others(const InfoOptions& o, const safetensors::Header& header) {
  if (o.json) {
    Json out = {{"checkpoint", o.checkpoint}, {"metadata", header.metadata}};
    if (says_data(header)) add_data(out, header, o.checkpoint);
    out["tensors"] = tensors_to_json(header);
    print_json(out);
    return;
  }
  std::cout << "safetensors file, not written by ntq-train\n";
  for (const auto& [key, value] : header.metadata) {
    std::cout << printable(key, kLongestName) << ": " << printable(value, kLongestValue) << '\n';
  }
  if (says_data(header)) print_lines(describe_data(header.metadata, o.checkpoint));
  std::cout << tensor_list(header);
}

void show_packed(const InfoOptions& o) {
  const infer::Graph graph = infer::read_ntqi(o.checkpoint);
  const auto bytes = std::filesystem::file_size(o.checkpoint);
  if (o.json) {
    Json out = {{"checkpoint", o.checkpoint}, {"bytes", bytes}, {"notes", graph.notes}};
    out["image"] = {graph.image.height, graph.image.width, graph.image.channels};
    out["classes"] = graph.classes;
    out["nodes"] = nodes_to_json(graph);
    if (o.tensors) out["tensors"] = tensors_to_json(load_header(o.checkpoint));
    print_json(out);
    return;
  }
  auto lines = describe_graph(graph);
  lines.emplace_back("file", bytes_text(static_cast<double>(bytes)));
  print_lines(lines);
  std::cout << '\n' << node_table(graph);
  if (o.tensors) std::cout << '\n' << tensor_list(load_header(o.checkpoint));
}

void show_checkpoint(const InfoOptions& o) {
  if (infer::is_ntqi(o.checkpoint)) return show_packed(o);
  const TensorFile file = load_tensors(o.checkpoint);
  const safetensors::Header header = load_header(o.checkpoint);
  if (!is_of_run(file)) return show_file_of_others(o, header);
  const RunCheckpoint c = read_run_checkpoint(file, o.checkpoint);
  const auto model = model_of(c, o.checkpoint, false);
  const auto layers = report_layers(*model);
  const auto skips = report_skips(*model);
  const double deployed = deployed_bits(*model) / 8;
  if (o.json) {
    Json out = {{"checkpoint", o.checkpoint}, {"metadata", c.file.metadata}};
    add_data(out, header, o.checkpoint);
    out["parameters"] = model->parameter_count();
    out["bytes"] = {{"model", bytes_of(c.model)},
                    {"optimizer", bytes_of(c.optimizer)},
                    {"average", bytes_of(c.ema)},
                    {"statistics", bytes_of(c.statistics)},
                    {"deployed", static_cast<int64_t>(deployed)}};
    out["layers"] = layers_to_json(layers);
    if (!skips.empty()) out["skips"] = skips_to_json(skips);
    if (o.tensors) out["tensors"] = tensors_to_json(header);
    if (o.graph) out["graph"] = graph_to_json(graph_of(*model, c));
    print_json(out);
    return;
  }
  auto lines = describe(c, model->parameter_count(), deployed);
  const auto data = describe_data(header.metadata, o.checkpoint);
  lines.insert(lines.begin() + 2, data.begin(), data.end());  // below the data set
  print_lines(lines);
  std::cout << "config     " << printable(c.file.metadata.at("ntq.config"), kLongestConfig) << "\n\n"
            << layer_table(layers) << skip_table(skips);
  if (o.tensors) std::cout << '\n' << tensor_list(header);
  if (o.graph) std::cout << '\n' << graph_table(graph_of(*model, c));
}

/// The devices of the modules that were found, and why others bring none.
struct Modules {
  std::vector<std::string> devices = {}, unusable = {};
};

Modules installed_modules() {
  constexpr int kMostDevices = 16;
  Modules out;
  for (const std::string& family : installed_families()) {
    for (int i = 0; i < kMostDevices; ++i) {
      try {
        const Device device(concat(family, ":", i));
        out.devices.push_back(concat(device.str(), ": ", backend_for(device).describe()));
      } catch (const std::exception& e) {
        if (i == 0) out.unusable.push_back(printable(e.what()));
        break;
      }
    }
  }
  if (out.devices.empty() && out.unusable.empty()) out.unusable.emplace_back("no module of a GPU is installed");
  return out;
}

void show_build(const InfoOptions& o) {
  const std::string cpu = backend_for(Device{}).describe();
  const Modules modules = installed_modules();
  if (o.json) {
    Json backends = Json::array({cpu});
    for (const std::string& device : modules.devices) backends.push_back(device);
    print_json({{"version", version()},
                {"build_type", build_type()},
                {"compiler", compiler()},
                {"isa", cpu_isa()},
                {"threads", cpu_threads()},
                {"backends", backends},
                {"unusable", modules.unusable},
                {"jpeg", jpeg_decoder()}});
    return;
  }
  std::cout << "version    " << version() << ", " << build_type() << "\ncompiler   " << compiler() << "\nisa        "
            << cpu_isa() << " (NTQ_CPU_ISA chooses another)\nbackends   " << cpu << '\n';
  for (const std::string& device : modules.devices) std::cout << "           " << device << '\n';
  for (const std::string& why : modules.unusable) std::cout << "no GPU     " << why << '\n';
  std::cout << "jpeg       " << jpeg_decoder() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv, [&] {
    InfoOptions options;
    if (!parse(argc, argv, options)) return;
    options.build ? show_build(options) : show_checkpoint(options);
  });
}
