#include "apps/checkpoint.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "apps/check_values.h"
#include "apps/json.h"
#include "apps/watchdog.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

/// The bits of a double, 16 hex digits: exact, and the same text every time.
std::string to_bits(double value) {
  char buffer[17];
  std::snprintf(buffer, sizeof buffer, "%016llx", static_cast<unsigned long long>(std::bit_cast<uint64_t>(value)));
  return buffer;
}

/// Reads typed metadata entries; every error names the file and the entry.
class MetadataReader {
 public:
  MetadataReader(const TensorFile& file, const std::string& path) : entries_(file.metadata), path_(path) {}

  const std::string& text(const std::string& key) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) fail(key, "a value", "none");
    return found->second;
  }
  int64_t integer(const std::string& key, int64_t low, int64_t high) const {
    const std::string& value = text(key);
    int64_t number = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || stop != value.data() + value.size() || number < low || number > high) {
      fail(key, concat("an integer from ", low, " to ", high), value);
    }
    return number;
  }
  double bits(const std::string& key) const {
    const std::string& value = text(key);
    uint64_t number = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number, 16);
    if (error != std::errc() || stop != value.data() + value.size() || value.size() != 16) {
      fail(key, "16 hex digits", value);
    }
    return std::bit_cast<double>(number);
  }
  [[noreturn]] void fail(const std::string& key, const std::string& expected, const std::string& found) const {
    throw CheckpointError(
        concat(path_, ": metadata '", key, "': expected ", expected, ", found ", printable(found, 80)));
  }

 private:
  const std::map<std::string, std::string>& entries_;
  const std::string& path_;
};

void append(NamedTensors& out, const char* prefix, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) out.emplace_back(prefix + name, tensor);
}

/// target.load_state_dict(source), with a mismatch of names or shapes as a CheckpointError.
template <class Target>
void load_into(Target& target, const NamedTensors& source, const Checkpoint& checkpoint, const std::string& path) {
  try {
    target.load_state_dict(source);
  } catch (const std::invalid_argument& e) {
    throw CheckpointError(concat(path, ": does not fit the model: ", e.what(), skipped_note(checkpoint.file)));
  }
}

/// A model's size is its architecture's, but for classes and channels, which a file may claim at will: the layers that
/// have them must be there, with these sizes, before such a model is built.
void check_free_sizes(const CheckpointInfo& info, const NamedTensors& tensors, const std::string& path) {
  const auto expect = [&](const char* name, size_t axis, int64_t size, const char* what) {
    for (const auto& [key, tensor] : tensors) {
      if (key != name) continue;
      const Shape& shape = tensor.shape();
      if (shape.rank() > static_cast<int>(axis) && shape[static_cast<int>(axis)] == size) return;
      throw CheckpointError(concat(path, ": does not fit the model: tensor '", name, "': expected ", size, " ", what,
                                   ", found shape ", shape));
    }
    throw CheckpointError(concat(path, ": does not fit the model: expected a tensor '", name, "' of ",
                                 info.config.model, ", found none"));
  };
  expect("fc.weight", 0, info.classes, "classes");
  expect("conv1.weight", 3, info.channels, "channels");
}

}  // namespace

bool is_ntq_checkpoint(const TensorFile& file) { return file.metadata.count("ntq.format") > 0; }

CheckpointInfo read_info(const TensorFile& file, const std::string& path) {
  if (!is_ntq_checkpoint(file)) {
    throw CheckpointError(path +
                          ": expected a checkpoint of ntq-train, found a safetensors file without ntq.format; "
                          "to start from such weights, use ntq-train --init");
  }
  constexpr int64_t kMany = int64_t{1} << 40;
  const MetadataReader meta(file, path);
  const int64_t format = meta.integer("ntq.format", 1, kMany);
  if (format > kCheckpointFormat) {
    throw CheckpointError(concat(path, ": checkpoint format: expected ", kCheckpointFormat, " or older, found ", format,
                                 "; it was written by a newer ntq, use that one"));
  }
  CheckpointInfo info;
  try {
    const std::string where = "metadata 'ntq.config'";  // the path comes in front below
    apply_json(info.config, without_sentinels(parse_json(meta.text("ntq.config"), where)), where);
    validate(info.config);
  } catch (const std::invalid_argument& e) {
    throw CheckpointError(concat(path, ": ", e.what()));
  }
  info.config = resolve(info.config);
  info.classes = meta.integer("ntq.classes", 1, 1 << 20);
  info.channels = meta.integer("ntq.channels", 1, 1 << 12);
  Progress& p = info.progress;
  p.epoch = meta.integer("ntq.epoch", 0, kMany);
  p.step = meta.integer("ntq.step", 0, kMany);
  p.loss_sum = meta.bits("ntq.loss_sum");
  p.correct = meta.integer("ntq.correct", 0, kMany);
  p.seen = meta.integer("ntq.seen", 0, kMany);
  p.best_top1 = meta.bits("ntq.best_top1_bits");
  p.best_epoch = meta.integer("ntq.best_epoch", 0, kMany);
  info.ema_updates = meta.integer("ntq.ema_updates", 0, kMany);
  return info;
}

Checkpoint load_checkpoint(const std::string& path) { return read_checkpoint(load_tensors(path), path); }

Checkpoint read_checkpoint(TensorFile file, const std::string& path) {
  Checkpoint out;
  out.file = std::move(file);
  out.info = read_info(out.file, path);
  for (const auto& [name, tensor] : out.file.tensors) {
    if (name.rfind("optim.", 0) == 0) {
      out.optimizer.emplace_back(name.substr(6), tensor);
    } else if (name.rfind("ema.", 0) == 0) {
      out.ema.emplace_back(name.substr(4), tensor);
    } else {
      out.model.emplace_back(name, tensor);
    }
  }
  return out;
}

void save_checkpoint(const std::string& path, const Session& s) {
  const SlowWrite slow;  // a signal may come while the disk takes its time
  const TrainConfig& c = s.config;
  const Progress& p = s.progress;
  TensorFile file;
  const Json quantization = {{"method", c.quantized() ? c.method : "fp"},
                             {"weight_bits", c.bits_of_weights()},
                             {"act_bits", c.bits_of_activations()},
                             {"first_last_bits", c.first_last_bits ? Json(*c.first_last_bits) : Json(nullptr)},
                             {"per_channel", c.per_channel},
                             {"settings", config_to_json(c, JsonPart::recipe)["quant"]}};
  file.metadata = {{"ntq.format", std::to_string(kCheckpointFormat)},
                   {"ntq.model", c.model},
                   {"ntq.dataset", c.dataset},
                   {"ntq.classes", std::to_string(s.data.train->info().classes)},
                   {"ntq.channels", std::to_string(s.data.train->info().channels)},
                   {"ntq.quantization", quantization.dump()},
                   {"ntq.config", config_to_json(c, JsonPart::recipe).dump()},
                   {"ntq.seed", std::to_string(c.seed)},
                   {"ntq.epoch", std::to_string(p.epoch)},
                   {"ntq.step", std::to_string(p.step)},
                   {"ntq.loss_sum", to_bits(p.loss_sum)},
                   {"ntq.correct", std::to_string(p.correct)},
                   {"ntq.seen", std::to_string(p.seen)},
                   {"ntq.best_top1", Json(p.best_top1).dump()},
                   {"ntq.best_top1_bits", to_bits(p.best_top1)},
                   {"ntq.best_epoch", std::to_string(p.best_epoch)},
                   {"ntq.ema_updates", std::to_string(s.ema ? s.ema->updates() : 0)}};
  put_record(file.metadata, s.record, preprocessing_of(c, s.data.train->info()));
  append(file.tensors, "", s.model->state_dict());
  append(file.tensors, "optim.", s.optimizer->state_dict());
  if (s.ema) append(file.tensors, "ema.", s.ema->state_dict());
  save_tensors(path, file);
}

std::string restore(Session& s, const std::string& path, bool allow_data_change) {
  const Checkpoint checkpoint = load_checkpoint(path);
  const std::string notice = check_same_data(checkpoint.file.metadata, path, s.record, allow_data_change);
  if (const auto there = data_record(checkpoint.file.metadata, path)) {
    s.record.changed = there->changed || !differences(*there, s.record, true).empty();
  }
  const Json expected = config_to_json(s.config, JsonPart::recipe);
  const Json found = config_to_json(checkpoint.info.config, JsonPart::recipe);
  for (const auto& [key, value] : expected.items()) {
    if (found.at(key) != value) {
      throw CheckpointError(
          concat(path, ": is of another run: '", key, "': expected ", value.dump(), ", found ", found.at(key).dump()));
    }
  }
  check_values(checkpoint.model, path);
  check_finite(checkpoint.optimizer, path, "optim.");
  load_into(*s.model, checkpoint.model, checkpoint, path);
  load_into(*s.optimizer, checkpoint.optimizer, checkpoint, path);
  if (s.ema) {
    check_values(checkpoint.ema, path);
    load_into(*s.ema, checkpoint.ema, checkpoint, path);
    s.ema->set_updates(checkpoint.info.ema_updates);
  }
  s.progress = checkpoint.info.progress;
  Progress& p = s.progress;
  if (allow_data_change) p.step = std::min(p.step, s.schedule.steps_per_epoch);
  if (p.epoch > s.config.epochs || p.step > s.schedule.steps_per_epoch) {
    throw CheckpointError(concat(path, ": expected at most epoch ", s.config.epochs, " and step ",
                                 s.schedule.steps_per_epoch, ", found ", p.epoch, " and ", p.step,
                                 "; is the data set another one now?"));
  }
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

std::shared_ptr<Module> model_of(const Checkpoint& checkpoint, const std::string& path, bool average) {
  takes_average(checkpoint, path, average ? Weighting::average : Weighting::raw);
  const NamedTensors& weights = average ? checkpoint.ema : checkpoint.model;
  check_free_sizes(checkpoint.info, weights, path);
  const auto model = build_model(checkpoint.info.config, checkpoint.info.classes, checkpoint.info.channels);
  check_values(weights, path);
  load_into(*model, weights, checkpoint, path);
  model->eval();
  return model;
}

}  // namespace ntq::apps
