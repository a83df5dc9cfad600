#include "train/checkpoint.h"

#include <bit>
#include <cstdio>
#include <filesystem>

#include "base/check.h"
#include "base/number.h"
#include "base/printable.h"
#include "train/check_values.h"

namespace ntq {
namespace {

/// The bits of a double, 16 hex digits: exact, and the same text every time.
std::string to_bits(double value) {
  char buffer[17];
  std::snprintf(buffer, sizeof buffer, "%016llx", static_cast<unsigned long long>(std::bit_cast<uint64_t>(value)));
  return buffer;
}

[[noreturn]] void bad_entry(const std::string& path, const std::string& key, const std::string& expected,
                            const std::string& found) {
  throw CheckpointError(concat(path, ": metadata '", key, "': expected ", expected, ", found ", printable(found, 80)));
}

/// The way back from to_bits().
double metadata_bits(const Metadata& metadata, const std::string& key, const std::string& path) {
  const std::string& value = metadata_text(metadata, key, path);
  const auto number = to_number<uint64_t>(value, 16);
  if (!number || value.size() != 16) bad_entry(path, key, "16 hex digits", value);
  return std::bit_cast<double>(*number);
}

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

}  // namespace

TensorFile checkpoint_file(const Training& t, const Metadata& metadata) {
  const Progress& p = t.progress;
  TensorFile file;
  file.metadata = {{"ntq.format", std::to_string(kCheckpointFormat)},
                   {"ntq.epoch", std::to_string(p.epoch)},
                   {"ntq.step", std::to_string(p.step)},
                   {"ntq.loss_sum", to_bits(p.loss_sum)},
                   {"ntq.correct", std::to_string(p.correct)},
                   {"ntq.seen", std::to_string(p.seen)},
                   {"ntq.best_top1_bits", to_bits(p.best_top1)},
                   {"ntq.best_epoch", std::to_string(p.best_epoch)},
                   {"ntq.ema_updates", std::to_string(t.ema ? t.ema->updates() : 0)}};
  file.metadata.insert(metadata.begin(), metadata.end());
  append(file.tensors, "", t.model->state_dict());
  for (const auto& [name, tensor] : file.tensors) {
    check(!name.starts_with("optim.") && !name.starts_with("ema.") && !name.starts_with("stats."),
          "checkpoint: a tensor of the model is named \"", name,
          "\"; what begins with optim., ema. and stats. are the optimizer's, the average's and the statistics'");
  }
  append(file.tensors, "optim.", t.optimizer->state_dict());
  if (t.ema) append(file.tensors, "ema.", t.ema->state_dict());
  if (t.statistics) append(file.tensors, "stats.", t.statistics->state_dict());
  return file;
}

void save_checkpoint(const std::string& path, const Training& training, const Metadata& metadata) {
  save_tensors(path, checkpoint_file(training, metadata));
}

const std::string& metadata_text(const Metadata& metadata, const std::string& key, const std::string& path) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) bad_entry(path, key, "a value", "none");
  return found->second;
}

int64_t metadata_integer(const Metadata& metadata, const std::string& key, const std::string& path, int64_t low,
                         int64_t high) {
  const std::string& value = metadata_text(metadata, key, path);
  const auto number = to_number<int64_t>(value);
  if (!number || *number < low || *number > high) {
    bad_entry(path, key, concat("an integer from ", low, " to ", high), value);
  }
  return *number;
}

bool is_checkpoint(const TensorFile& file) { return file.metadata.contains("ntq.format"); }

Checkpoint load_checkpoint(const std::string& path) { return read_checkpoint(load_tensors(path), path); }

Checkpoint read_checkpoint(TensorFile file, const std::string& path) {
  if (!is_checkpoint(file)) {
    throw CheckpointError(path +
                          ": expected a checkpoint of ntq-train, found a safetensors file without ntq.format; "
                          "to start from such weights, use ntq-train --init");
  }
  Checkpoint out;
  out.file = std::move(file);
  const auto integer = [&](const char* key, int64_t low = 0) {
    return metadata_integer(out.file.metadata, key, path, low, int64_t{1} << 40);
  };
  const auto real = [&](const char* key) { return metadata_bits(out.file.metadata, key, path); };
  const int64_t format = integer("ntq.format", 1);
  if (format > kCheckpointFormat) {
    throw CheckpointError(concat(path, ": checkpoint format: expected ", kCheckpointFormat, " or older, found ", format,
                                 "; it was written by a newer ntq, use that one"));
  }
  out.progress = {.epoch = integer("ntq.epoch"),
                  .step = integer("ntq.step"),
                  .loss_sum = real("ntq.loss_sum"),
                  .correct = integer("ntq.correct"),
                  .seen = integer("ntq.seen"),
                  .best_top1 = real("ntq.best_top1_bits"),
                  .best_epoch = integer("ntq.best_epoch")};
  out.ema_updates = integer("ntq.ema_updates");
  for (const auto& [name, tensor] : out.file.tensors) {
    if (name.starts_with("optim.")) {
      out.optimizer.emplace_back(name.substr(6), tensor);
    } else if (name.starts_with("ema.")) {
      out.ema.emplace_back(name.substr(4), tensor);
    } else if (name.starts_with("stats.")) {
      out.statistics.emplace_back(name.substr(6), tensor);
    } else {
      out.model.emplace_back(name, tensor);
    }
  }
  return out;
}

void restore(Training& t, const Checkpoint& checkpoint, const std::string& path) {
  check_finite(checkpoint.optimizer, path, "optim.");
  load_model(*t.model, checkpoint, path);
  load_into(*t.optimizer, checkpoint.optimizer, checkpoint, path);
  if (t.ema) {
    check_values(checkpoint.ema, path);
    load_into(*t.ema, checkpoint.ema, checkpoint, path);
    t.ema->set_updates(checkpoint.ema_updates);
  }
  if (t.statistics) load_into(*t.statistics, checkpoint.statistics, checkpoint, path);
  t.progress = checkpoint.progress;
  const Progress& p = t.progress;
  if (p.epoch > t.schedule.epochs || p.step > t.schedule.steps_per_epoch) {
    throw CheckpointError(concat(path, ": expected at most epoch ", t.schedule.epochs, " and step ",
                                 t.schedule.steps_per_epoch, ", found ", p.epoch, " and ", p.step,
                                 "; is the data set another one now?"));
  }
}

bool resume(Training& training, const std::string& path) {
  std::error_code unknown;  // whatever else is wrong with it, reading tells
  if (std::filesystem::status(path, unknown).type() == std::filesystem::file_type::not_found) return false;
  restore(training, load_checkpoint(path), path);
  return true;
}

void load_model(Module& model, const Checkpoint& checkpoint, const std::string& path, bool average) {
  const NamedTensors& weights = average ? checkpoint.ema : checkpoint.model;
  check_values(weights, path);
  load_into(model, weights, checkpoint, path);
}

}  // namespace ntq
