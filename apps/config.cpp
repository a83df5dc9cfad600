#include "apps/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <thread>

#include "apps/json.h"
#include "apps/text.h"
#include "data/dataset.h"
#include "engine/check.h"
#include "engine/printable.h"
#include "models/model.h"
#include "quant/quantizer.h"

namespace ntq::apps {
namespace {

void assign(const Json& json, std::string& field, const std::string& where) {
  if (!json.is_string()) throw UsageError(concat(where, ": expected a string, found ", brief(json)));
  field = json.get<std::string>();
}
void assign(const Json& json, bool& field, const std::string& where) {
  if (!json.is_boolean()) throw UsageError(concat(where, ": expected true or false, found ", brief(json)));
  field = json.get<bool>();
}
void assign(const Json& json, double& field, const std::string& where) {
  if (!json.is_number()) throw UsageError(concat(where, ": expected a number, found ", brief(json)));
  field = json.get<double>();
}
void assign(const Json& json, int64_t& field, const std::string& where) {
  const bool fits =
      !json.is_number_unsigned() || json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!json.is_number_integer() || !fits) {
    throw UsageError(concat(where, ": expected an integer, found ", brief(json)));
  }
  field = json.get<int64_t>();
}

template <class T>
void in_range(const char* option, T value, T low, T high, const char* allowed) {
  if (!(value >= low && value <= high)) {
    throw UsageError(concat(option, ": expected ", allowed, ", found ", general(static_cast<double>(value), 12)));
  }
}

void one_of(const char* option, const std::string& value, const std::vector<std::string>& allowed) {
  for (const auto& name : allowed) {
    if (value == name) return;
  }
  const std::string guess = nearest(value, allowed);
  throw UsageError(concat(option, ": expected one of ", join(allowed), "; found '", printable(value, 80), "'",
                          guess.empty() ? "" : ". Did you mean " + guess + "?"));
}

void check_bits(const char* option, int64_t bits, bool zero_allowed) {
  if ((bits >= 2 && bits <= 8) || bits == 32 || (zero_allowed && bits == 0)) return;
  throw UsageError(concat(option, ": expected 2 to 8, or 32 for full precision, found ", bits));
}

}  // namespace

std::array<float, 3> parse_channels(const char* option, const std::string& text) {
  std::array<float, 3> values{};
  const char *at = text.data(), *end = at + text.size();
  for (size_t i = 0; i < 3 && !text.empty(); ++i) {
    const auto [stop, error] = std::from_chars(at, end, values[i]);
    const bool last = i == 2;
    if (error != std::errc() || !(values[i] >= 0 && values[i] <= 1) ||
        (last ? stop != end : stop == end || *stop != ',')) {
      throw UsageError(concat(option, ": expected three numbers in [0, 1], as 0.485,0.456,0.406, found '", text, "'"));
    }
    at = stop + 1;
  }
  return values;
}

Json config_to_json(const TrainConfig& config, JsonPart part) {
  Json json = {{"dataset", config.dataset}, {"model", config.model}};
  for_each_option(config, [&](const Option& option, const auto& field) {
    if (part == JsonPart::all || option.scope == Scope::recipe) json[option.key()] = field;
  });
  return json;
}

void apply_json(TrainConfig& config, const Json& json, const std::string& where) {
  if (!json.is_object()) throw UsageError(where + ": expected a JSON object of options");
  std::vector<std::string> known = {"dataset", "model"};
  for_each_option(config, [&](const Option& option, auto&) { known.push_back(option.key()); });
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string guess = nearest(key, known);
    throw UsageError(
        concat(where, ": unknown key '", printable(key, 80), "'",
               guess.empty() ? "; ntq-train --print-config shows all keys" : "; did you mean '" + guess + "'?"));
  }
  const auto take = [&](const std::string& key, auto& field) {
    if (json.contains(key)) assign(json[key], field, concat(where, ": '", key, "'"));
  };
  take("dataset", config.dataset);
  take("model", config.model);
  for_each_option(config, [&](const Option& option, auto& field) { take(option.key(), field); });
}

void validate(const TrainConfig& c) {
  constexpr int64_t kMany = int64_t{1} << 40;
  constexpr double kMax = 1e6;
  if (c.dataset.empty() || c.model.empty()) {
    throw UsageError("expected DATASET and MODEL, as in: ntq-train cifar10 resnet20 --bits 4 (see --help)");
  }
  one_of("DATASET", c.dataset, dataset_names());
  one_of("MODEL", c.model, model_names());
  in_range<int64_t>("--workers", c.workers, -1, 256, "0 to 256");
  one_of("--aug", c.aug, {"paper", "field"});
  in_range<int64_t>("--image-size", c.image_size, 8, 4096, "8 to 4096");
  in_range<int64_t>("--max-bad-images", c.max_bad_images, -1, kMany, "0 or more");
  parse_channels("--mean", c.mean);
  parse_channels("--std", c.std);
  one_of("--stem", c.stem, {"auto", "cifar", "imagenet"});
  one_of("--step-init", c.step_init, {"lsq", "mse"});
  in_range<int64_t>("--calibrate", c.calibrate, 1, kMany, "1 or more batches");
  in_range<int64_t>("--bn-recalibrate", c.bn_recalibrate, 0, kMany, "0 (off) or more batches");
  in_range<int64_t>("--limit-train", c.limit_train, 0, kMany, "0 (all) or more");
  in_range<int64_t>("--limit-val", c.limit_val, 0, kMany, "0 (all) or more");
  check_bits("--bits", c.bits, false);
  check_bits("--weight-bits", c.weight_bits, true);
  check_bits("--act-bits", c.act_bits, true);
  check_bits("--first-last-bits", c.first_last_bits, true);
  one_of("--method", c.method, quantizer_names());
  in_range("--noise", c.noise, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  in_range("--noise-k", c.noise_k, 0.0, kMax, "0 or more");
  in_range<int64_t>("--pretrain-epochs", c.pretrain_epochs, -1, kMany, "0 (none) or more");
  in_range("--pretrain-lr", c.pretrain_lr, 1e-12, kMax, "more than 0");
  in_range<int64_t>("--epochs", c.epochs, 1, kMany, "1 or more");
  in_range<int64_t>("--batch-size", c.batch_size, 1, 1 << 20, "1 to 1048576");
  in_range("--lr", c.lr, 0.0, kMax, "0 (the default of the bits) or more");
  in_range("--momentum", c.momentum, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  in_range("--weight-decay", c.weight_decay, 0.0, kMax, "0 or more");
  one_of("--sched", c.sched, {"cosine", "step", "paper", "constant"});
  in_range<int64_t>("--warmup-epochs", c.warmup_epochs, 0, c.epochs, "0 to --epochs");
  in_range("--min-lr", c.min_lr, 0.0, kMax, "0 or more");
  in_range("--smoothing", c.smoothing, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  in_range("--model-ema", c.model_ema, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  if (c.nesterov && c.momentum == 0) throw UsageError("--nesterov: needs --momentum above 0");
  one_of("--precision", c.precision, {"fp32", "tf32", "bf16"});
  if (c.precision != "fp32") throw DeviceError("--precision " + c.precision + ": not in this build; use fp32");
  if (c.device.rfind("cuda", 0) == 0) throw DeviceError("--device " + c.device + ": not in this build; use cpu");
  one_of("--device", c.device, {"auto", "cpu"});
  in_range<int64_t>("--threads", c.threads, 0, 4096, "0 (one per core) to 4096");
  in_range<int64_t>("--seed", c.seed, 0, std::numeric_limits<int64_t>::max(), "0 or more");
  in_range<int64_t>("--log-interval", c.log_interval, 1, kMany, "1 or more");
  in_range<int64_t>("--save-every", c.save_every, 0, kMany, "0 (once an epoch) or more");
  if (c.output.empty()) throw UsageError("--output: expected a folder, found nothing");
}

TrainConfig resolve(TrainConfig c) {
  const TrainConfig defaults;
  if (c.workers < 0) c.workers = c.photographs() ? std::max<int64_t>(std::thread::hardware_concurrency(), 1) : 1;
  if (!c.photographs()) {
    c.aug = defaults.aug;
    c.image_size = defaults.image_size;
    c.fast_decode = false;
  }
  if (c.stem == "auto") c.stem = c.photographs() ? "imagenet" : "cifar";
  if (c.weight_bits == 0) c.weight_bits = c.bits;
  if (c.act_bits == 0) c.act_bits = c.bits;
  if (c.lr == 0) c.lr = c.quantized() ? 0.01 : 0.1;
  if (c.pretrain_epochs < 0) c.pretrain_epochs = c.epochs;
  if (!c.quantized()) {
    c.bits = 32;
    c.method = defaults.method;
    c.noise = defaults.noise;
    c.noise_k = defaults.noise_k;
    c.first_last_bits = 0;
  }
  if (!c.quantized()) {
    c.calibrate = defaults.calibrate;
    c.step_init = defaults.step_init;
    c.pretrain_epochs = defaults.pretrain_epochs;
  } else if (!c.init.empty()) {
    c.pretrain_epochs = 0;  // said outright, since checkpoints do not keep --init
  }
  if (c.pretrain_epochs <= 0) c.pretrain_lr = defaults.pretrain_lr;
  // A run may go on from another working folder.
  if (!c.init.empty()) c.init = std::filesystem::absolute(c.init).lexically_normal().string();
  if (!c.val_labels.empty()) c.val_labels = std::filesystem::absolute(c.val_labels).lexically_normal().string();
  if (!c.data_dir.empty()) c.data_dir = std::filesystem::absolute(c.data_dir).lexically_normal().string();
  return c;
}

TrainConfig pretrain_config(const TrainConfig& config) {
  TrainConfig fp = config;
  fp.bits = fp.weight_bits = fp.act_bits = 32;
  fp.epochs = config.pretrain_epochs;
  fp.lr = config.pretrain_lr;
  fp.warmup_epochs = std::min(config.warmup_epochs, fp.epochs);
  return resolve(fp);
}

std::string run_name(const TrainConfig& c) {
  const std::string base = c.dataset + "-" + c.model + "-";
  if (!c.quantized()) return base + "fp";
  return concat(base, "w", c.weight_bits, "a", c.act_bits, "-", c.method);
}

}  // namespace ntq::apps
