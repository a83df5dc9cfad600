#include "apps/checkpoint.h"

#include <algorithm>

#include "apps/json.h"
#include "apps/watchdog.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

/// A model's size is its architecture's, but for classes and channels, which a file may claim at will: the layers that
/// have them must be there, with these sizes, before such a model is built.
void check_free_sizes(const RunCheckpoint& run, const NamedTensors& tensors, const std::string& path) {
  const auto expect = [&](const char* name, size_t axis, int64_t size, const char* what) {
    for (const auto& [key, tensor] : tensors) {
      if (key != name) continue;
      const Shape& shape = tensor.shape();
      if (shape.rank() > static_cast<int>(axis) && shape[static_cast<int>(axis)] == size) return;
      throw CheckpointError(concat(path, ": does not fit the model: tensor '", name, "': expected ", size, " ", what,
                                   ", found shape ", shape));
    }
    throw CheckpointError(
        concat(path, ": does not fit the model: expected a tensor '", name, "' of ", run.config.model, ", found none"));
  };
  expect("fc.weight", 0, run.classes, "classes");
  expect("conv1.weight", 3, run.channels, "channels");
}

}  // namespace

bool is_of_run(const TensorFile& file) { return is_checkpoint(file) && file.metadata.contains("ntq.config"); }

RunCheckpoint load_run_checkpoint(const std::string& path) { return read_run_checkpoint(load_tensors(path), path); }

RunCheckpoint read_run_checkpoint(TensorFile file, const std::string& path) {
  RunCheckpoint out{read_checkpoint(std::move(file), path)};
  const Metadata& metadata = out.file.metadata;
  try {
    const std::string where = "metadata 'ntq.config'";  // the path comes in front below
    apply_json(out.config, without_sentinels(parse_json(metadata_text(metadata, "ntq.config", path), where)), where);
    validate(out.config);
    out.config = resolve(out.config);
  } catch (const std::invalid_argument& e) {
    throw CheckpointError(concat(path, ": ", e.what()));
  }
  out.classes = metadata_integer(metadata, "ntq.classes", path, 1, 1 << 20);
  out.channels = metadata_integer(metadata, "ntq.channels", path, 1, 1 << 12);
  return out;
}

void save_run(const std::string& path, const Session& s) {
  const SlowWrite slow;  // a signal may come while the disk takes its time
  const TrainConfig& c = s.config;
  const DatasetInfo& info = s.data.train->info();
  const Json quantization = {{"method", c.quantized() ? c.method : "fp"},
                             {"weight_bits", c.bits_of_weights()},
                             {"act_bits", c.bits_of_activations()},
                             {"first_last_bits", c.first_last_bits ? Json(*c.first_last_bits) : Json(nullptr)},
                             {"skip_bits", c.skip_bits ? Json(*c.skip_bits) : Json(nullptr)},
                             {"bits_of", c.bits_of},
                             {"per_channel", c.per_channel},
                             {"settings", config_to_json(c, JsonPart::recipe)["quant"]}};
  Metadata metadata = {{"ntq.model", c.model},
                       {"ntq.dataset", c.dataset},
                       {"ntq.classes", std::to_string(info.classes)},
                       {"ntq.channels", std::to_string(info.channels)},
                       {"ntq.quantization", quantization.dump()},
                       {"ntq.config", config_to_json(c, JsonPart::recipe).dump()},
                       {"ntq.seed", std::to_string(c.seed)},
                       {"ntq.best_top1", Json(s.progress.best_top1).dump()}};
  put_record(metadata, s.record, preprocessing_of(c, info));
  save_checkpoint(path, s, metadata);
}

std::string restore_run(Session& s, const std::string& path, bool allow_data_change) {
  RunCheckpoint checkpoint = load_run_checkpoint(path);
  const std::string notice = check_same_data(checkpoint.file.metadata, path, s.record, allow_data_change);
  if (const auto there = data_record(checkpoint.file.metadata, path)) {
    s.record.changed = there->changed || !differences(*there, s.record, true).empty();
  }
  const Json expected = config_to_json(s.config, JsonPart::recipe);
  const Json found = config_to_json(checkpoint.config, JsonPart::recipe);
  for (const auto& [key, value] : expected.items()) {
    if (found.at(key) != value) {
      throw CheckpointError(
          concat(path, ": is of another run: '", key, "': expected ", value.dump(), ", found ", found.at(key).dump()));
    }
  }
  int64_t& step = checkpoint.progress.step;
  if (allow_data_change) step = std::min(step, s.schedule.steps_per_epoch);
  restore(s, checkpoint, path);
  return notice;
}

Weighting parse_weighting(bool average, bool raw) {
  if (average && raw) throw UsageError("--ema, --raw: expected one of them, found both");
  return average ? Weighting::average : raw ? Weighting::raw : Weighting::automatic;
}

bool takes_average(const Checkpoint& checkpoint, const std::string& path, Weighting wish) {
  if (wish == Weighting::average && !checkpoint.has_ema()) {
    throw CheckpointError(path + ": expected averaged weights, found none; it was trained without --model-ema");
  }
  return wish != Weighting::raw && checkpoint.has_ema();
}

std::string weighting_text(const Checkpoint& checkpoint, bool average) {
  if (!checkpoint.has_ema()) return "";
  return average ? "averaged weights, by which the best epoch was chosen (--raw for the weights themselves)"
                 : "the weights themselves, not their average";
}

std::shared_ptr<Module> model_of(const RunCheckpoint& checkpoint, const std::string& path, bool average) {
  takes_average(checkpoint, path, average ? Weighting::average : Weighting::raw);
  check_free_sizes(checkpoint, average ? checkpoint.ema : checkpoint.model, path);
  std::shared_ptr<Module> model;
  try {
    model = build_model(checkpoint.config, checkpoint.classes, checkpoint.channels);
  } catch (const std::invalid_argument& e) {  // bits or layers that no training had
    throw CheckpointError(concat(path, ": ", e.what()));
  }
  load_model(*model, checkpoint, path, average);
  model->eval();
  return model;
}

}  // namespace ntq::apps
