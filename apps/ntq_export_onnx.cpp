#include "apps/ntq_export_onnx.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/json.h"
#include "apps/session.h"
#include "apps/text.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/printable.h"
#include "export/onnx/onnx.h"
#include "export/onnx/skips.h"
#include "train/deployed.h"
#include "train/evaluate.h"

namespace ntq::apps {
namespace {

constexpr int64_t kBatches = 4;

OnnxOptions options_of(const OnnxRequest& r) {
  return {.dialect = parse_onnx_dialect(r.dialect.value_or("plain")),
          .weights = parse_onnx_weights(r.weight_type.value_or("int8"))};
}

bool measures(const OnnxOptions& o) { return o.dialect == OnnxDialect::ort || o.dialect == OnnxDialect::trt; }

/// The class with the largest logit, for each image of a data set.
std::vector<int64_t> predictions(infer::Graph graph, const DatasetPair& data, const TrainConfig& config) {
  Deployed model{infer::Model(std::move(graph))};
  DataLoader loader(data.val, in_order(loader_options(config)));
  std::vector<int64_t> classes;
  evaluate(model, loader, {}, [&](const Tensor& logits, const Tensor&) {
    const int64_t count = logits.size(1);
    for (int64_t i = 0; i < logits.size(0); ++i) {
      const float* row = logits.f32() + i * count;
      classes.push_back(std::max_element(row, row + count) - row);
    }
  });
  return classes;
}

/// The graph with 8-bit quantizers on its sums, and how many predictions that changes.
struct Quantized {
  infer::Graph graph;
  int64_t changed = 0, images = 0;
};

Quantized with_quantized_skips(const OnnxRequest& r, const OnnxOptions& o, TrainConfig config,
                               const infer::Graph& graph, Console& console) {
  if (config.dataset.empty()) throw UsageError(r.network + ": does not name its data set; export from the checkpoint");
  config.data_dir = r.data_dir;
  config.limit_val = r.limit_val;
  const DatasetPair data = open_data(config, console, graph.classes, check_graph(graph, r.network).back().channels);
  LoaderOptions loading = loader_options(config);
  loading.augment = false;
  DataLoader loader(data.train, loading);
  std::vector<Tensor> batches;
  loader.start(0);
  while (static_cast<int64_t>(batches.size()) < r.calibrate.value_or(kBatches)) {
    const auto batch = loader.next();
    if (!batch) break;
    batches.push_back(batch->images);
  }
  const auto largest = [&](const infer::Graph& probe) {
    Deployed model{infer::Model(probe)};
    float found = -std::numeric_limits<float>::infinity();
    for (const Tensor& images : batches) {
      const Tensor logits = model.forward(images);
      found = std::max(found, *std::max_element(logits.f32(), logits.f32() + logits.numel()));
    }
    return found;
  };
  Quantized out{.graph = quantize_skips(graph, o.dialect, largest)};
  const auto before = predictions(graph, data, config), after = predictions(out.graph, data, config);
  out.images = static_cast<int64_t>(before.size());
  for (size_t i = 0; i < before.size(); ++i) out.changed += before[i] != after[i] ? 1 : 0;
  return out;
}

}  // namespace

void check_request(const OnnxRequest& r) {
  const OnnxOptions o = options_of(r);
  if (const std::string missing = onnx_missing(); !missing.empty()) throw UsageError("--format onnx: " + missing);
  if (!measures(o) && (r.calibrate || r.limit_val)) {
    throw UsageError("--calibrate, --limit-val: only with --dialect ort or trt, which measure ranges");
  }
  if (r.calibrate && *r.calibrate < 1)
    throw UsageError(concat("--calibrate: expected 1 or more, found ", *r.calibrate));
}

void export_onnx(const OnnxRequest& r, const Lowered& lowered, const TrainConfig& recipe, Console& console) {
  const OnnxOptions options = options_of(r);
  // What has no form is refused before a data set is read.
  std::string bytes = onnx_bytes(lowered.graph, options);
  Quantized quantized;
  if (measures(options)) {
    quantized = with_quantized_skips(r, options, recipe, lowered.graph, console);
    bytes = onnx_bytes(quantized.graph, options);
  }
  const auto note = lowered.graph.notes.find("model");
  const std::string model = note == lowered.graph.notes.end() ? "a network" : printable(note->second, 80);
  write_file_atomically(r.out, bytes);
  console.line(lowering_text(lowered));
  if (measures(options)) {
    console.line(concat("8-bit sums change ", quantized.changed, " of ", quantized.images, " predictions"));
  }
  console.line(concat(r.out, ": ", model, " as ONNX, dialect ", onnx_dialect_name(options.dialect), ", ",
                      bytes_text(static_cast<double>(bytes.size()))));
  if (!r.json) return;
  Json answer = {{"checkpoint", r.network}, {"file", r.out},
                 {"format", "onnx"},        {"dialect", onnx_dialect_name(options.dialect)},
                 {"model", model},          {"integer_layers", lowered.integer_layers()},
                 {"bytes", bytes.size()}};
  if (measures(options)) answer["changed"] = quantized.changed, answer["images"] = quantized.images;
  print_json(answer);
}

}  // namespace ntq::apps
