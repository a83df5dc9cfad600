#include "apps/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <thread>

#include "apps/config_quant.h"
#include "apps/json.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"
#include "data/dataset.h"
#include "models/model.h"
#include "quant/method.h"

namespace ntq::apps {
namespace {

constexpr int64_t kMany = int64_t{1} << 40, kMaxWorkers = 256;

/// Nothing to check in what is not given.
template <class T>
void in_range(const char* option, std::optional<T> value, T low, T high, const char* allowed) {
  if (value && !(*value >= low && *value <= high)) {
    throw UsageError(concat(option, ": expected ", allowed, ", found ", general(static_cast<double>(*value), 12)));
  }
}
template <class T>
void in_range(const char* option, T value, T low, T high, const char* allowed) {
  in_range(option, std::optional<T>(value), low, high, allowed);
}

void one_of(const char* option, const std::string& value, const std::vector<std::string>& allowed) {
  for (const auto& name : allowed) {
    if (value == name) return;
  }
  const std::string guess = nearest(value, allowed);
  throw UsageError(concat(option, ": expected one of ", join(allowed), "; found '", printable(value, 80), "'",
                          guess.empty() ? "" : ". Did you mean " + guess + "?"));
}

void check_bits(const char* option, int64_t bits) {
  if ((bits >= 2 && bits <= 8) || bits == 32) return;
  throw UsageError(concat(option, ": expected 2 to 8, or 32 for full precision, found ", bits));
}

double rate_of(const TrainConfig& c) { return c.lr.value_or(c.quantized() ? 0.01 : 0.1); }

void validate_run_options(const TrainConfig& c) {
  const auto usable_name = [](const char* option, const std::optional<std::string>& text) {
    if (text && text->empty()) throw UsageError(concat(option, ": expected a name, found nothing"));
    // config.json could not hold it, and a resumed run would look elsewhere.
    if (text && !is_utf8(*text))
      throw UsageError(concat(option, ": expected a name in UTF-8, found ", in_quotes(*text)));
  };
  usable_name("--data-dir", c.data_dir);
  usable_name("--val-labels", c.val_labels);
  usable_name("--init", c.init);
  usable_name("--output", c.output);
  in_range<int64_t>("--workers", c.workers, 0, kMaxWorkers, "0 to 256");
  in_range<int64_t>("--max-bad-images", c.max_bad_images, 0, kMany, "0 or more");
  check_device_option(c.device);
  one_of("--recompute", c.recompute, {"none", "blocks"});
  in_range<int64_t>("--threads", c.threads, 1, 4096, "1 to 4096");
  in_range<int64_t>("--log-interval", c.log_interval, 1, kMany, "1 or more");
  in_range<int64_t>("--save-every", c.save_every, 0, kMany, "0 (once an epoch) or more");
  in_range<int64_t>("--stats-every", c.stats_every, 0, kMany, "0 (never) or more");
}

}  // namespace

bool TrainConfig::quantizes(Side side) const {
  const bool of_weights = side == Side::weights;
  return (of_weights ? bits_of_weights() : bits_of_activations()) < 32 ||
         std::any_of(bits_of.begin(), bits_of.end(), [&](const auto& layer) {
           const LayerBits own = parse_layer_bits("--bits-of " + layer.first, layer.second);
           return (of_weights ? own.weight : own.activation).value_or(32) < 32;
         });
}

std::array<float, 3> parse_channels(const char* option, const std::string& text) {
  std::array<float, 3> values{};
  const char *at = text.data(), *end = at + text.size();
  for (size_t i = 0; i < 3; ++i) {
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

void validate(const TrainConfig& c) {
  constexpr double kMax = 1e6, kMaxRate = 1000;
  if (c.dataset.empty() || c.model.empty()) {
    throw UsageError("expected DATASET and MODEL, as in: ntq-train cifar10 resnet20 --bits 4 (see --help)");
  }
  one_of("DATASET", c.dataset, dataset_names());
  one_of("MODEL", c.model, model_names());
  validate_run_options(c);
  one_of("--aug", c.aug, {"paper", "field"});
  in_range<int64_t>("--image-size", c.image_size, 8, 4096, "8 to 4096");
  if (c.mean) parse_channels("--mean", *c.mean);
  if (c.std) {
    for (const float deviation : parse_channels("--std", *c.std)) {
      if (deviation > 0) continue;
      throw UsageError(
          concat("--std: expected three numbers in (0, 1], found '", *c.std, "': images are divided by it"));
    }
  }
  one_of("--stem", c.stem, {"auto", "cifar", "imagenet"});
  in_range<int64_t>("--calibrate", c.calibrate, 1, kMany, "1 or more batches");
  in_range<int64_t>("--bn-recalibrate", c.bn_recalibrate, 0, kMany, "0 (off) or more batches");
  in_range<int64_t>("--limit-train", c.limit_train, 1, kMany, "1 or more images");
  in_range<int64_t>("--limit-val", c.limit_val, 1, kMany, "1 or more images");
  check_bits("--bits", c.bits);
  check_bits("--weight-bits", c.weight_bits.value_or(c.bits));
  check_bits("--act-bits", c.act_bits.value_or(c.bits));
  check_bits("--first-last-bits", c.first_last_bits.value_or(c.bits));
  check_bits("--skip-bits", c.skip_bits.value_or(32));
  validate_layer_bits(c.bits_of);
  one_of("--method", c.method, quantizer_names());
  validate_quant(c);
  in_range<int64_t>("--pretrain-epochs", c.pretrain_epochs, 0, kMany, "0 (none) or more");
  parse_widths("--bits-before", c.bits_before);
  in_range("--pretrain-lr", c.pretrain_lr, 1e-12, kMaxRate, "more than 0, to 1000");
  in_range<int64_t>("--epochs", c.epochs, 1, kMany, "1 or more");
  in_range<int64_t>("--batch-size", c.batch_size, 1, 1 << 20, "1 to 1048576");
  in_range("--lr", c.lr, 0.0, kMaxRate, "0 to 1000");
  in_range("--momentum", c.momentum, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  in_range("--weight-decay", c.weight_decay, 0.0, kMax, "0 to 1000000");
  one_of("--sched", c.sched, {"cosine", "step", "paper", "exponential", "constant"});
  in_range<int64_t>("--warmup-epochs", c.warmup_epochs, 0, c.epochs, "0 to --epochs");
  in_range("--min-lr", c.min_lr, 0.0, c.two_stages() ? std::min(rate_of(c), c.pretrain_lr) : rate_of(c),
           "0 to the learning rates of the run");
  if (c.sched == "exponential" && c.min_lr == 0) {
    throw UsageError("--sched exponential: needs --min-lr above 0, the rate that it ends at");
  }
  in_range("--smoothing", c.smoothing, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  in_range("--model-ema", c.model_ema, 0.0, std::nextafter(1.0, 0.0), "a number in [0, 1)");
  if (c.nesterov && c.momentum == 0) throw UsageError("--nesterov: needs --momentum above 0");
  one_of("--precision", c.precision, {"fp32", "tf32", "bf16"});
  if (c.precision == "tf32" && is_cpu(c.device))
    throw UsageError("--precision tf32: the cpu has no such products; use fp32 or bf16, or --device cuda");
  in_range<int64_t>("--seed", c.seed, 0, std::numeric_limits<int64_t>::max(), "0 or more");
}

std::vector<std::string> reset_impossible_run_options(TrainConfig& c) {
  std::vector<std::string> reset;
  TrainConfig tried;  // defaults but for one option
  for_each_option(c, [&](const Option& option, auto& field) {
    if (option.scope != Scope::run) return;
    for_each_option(tried, [&](const Option& same, auto& place) {
      if constexpr (std::is_same_v<decltype(place), decltype(field)>) {
        if (std::string_view(same.name) != option.name) return;
        const auto standard = place;
        place = field;
        try {
          validate_run_options(tried);
        } catch (const std::exception&) {
          field = standard;
          reset.push_back(option.name);
        }
        place = standard;
      }
    });
  });
  return reset;
}

int64_t loader_workers(const TrainConfig& c) {
  if (c.workers) return *c.workers;
  return c.photographs() ? std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, kMaxWorkers) : 1;
}

TrainConfig resolve(TrainConfig c) {
  const TrainConfig defaults;
  if (!c.photographs()) {
    c.aug = defaults.aug;
    c.image_size = defaults.image_size;
    c.fast_decode = false;
  }
  if (c.stem == "auto") c.stem = c.photographs() ? "imagenet" : "cifar";
  c.weight_bits = c.bits_of_weights();
  c.act_bits = c.bits_of_activations();
  c.bits_of = resolved_layer_bits(c.bits_of, *c.weight_bits < 32, *c.act_bits < 32);
  if (c.bits_before) {
    c.bits_before = resolved_widths(*c.bits_before, static_cast<int>(*c.weight_bits), static_cast<int>(*c.act_bits));
  }
  if (c.skip_bits == 32 || !c.quantizes(Side::inputs)) c.skip_bits.reset();
  c.lr = rate_of(c);
  if (!c.quantized()) {
    c.bits = 32;
    c.method = defaults.method;
    c.first_last_bits.reset();
    c.bits_of.clear();
    c.bits_before.reset();
    c.calibrate = defaults.calibrate;
    c.pretrain_epochs.reset();
  } else if (c.init) {
    c.pretrain_epochs = 0;  // said outright, since checkpoints do not keep --init
  } else if (!c.pretrain_epochs) {
    c.pretrain_epochs = c.epochs;
  }
  resolve_quant(c);
  if (c.pretrain_epochs.value_or(0) == 0) c.pretrain_lr = defaults.pretrain_lr;
  // A run may go on from another working folder.
  for (auto* path : {&c.init, &c.val_labels, &c.data_dir}) {
    if (*path) *path = std::filesystem::absolute(**path).lexically_normal().string();
  }
  return c;
}

namespace {

/// The first stage: full precision.
TrainConfig pretrain_config(const TrainConfig& config) {
  TrainConfig fp = config;
  fp.bits = 32;
  fp.weight_bits = fp.act_bits = fp.bits;
  fp.bits_of.clear();
  fp.epochs = config.pretrain_epochs.value_or(config.epochs);
  fp.lr = config.pretrain_lr;
  fp.warmup_epochs = std::min(config.warmup_epochs, fp.epochs);
  return resolve(fp);
}

}  // namespace

std::vector<TrainConfig> stages_of(const TrainConfig& config) {
  std::vector<TrainConfig> stages;
  if (config.two_stages()) stages.push_back(pretrain_config(config));
  std::vector<std::string> before;
  for (const LayerBits& bits : parse_widths("--bits-before", config.bits_before)) {
    TrainConfig stage = config;
    stage.weight_bits = bits.weight, stage.act_bits = bits.activation;
    stage.bits = bits.weight == bits.activation ? *bits.weight : 32;  // as a run of its own would be asked for
    stage.bits_before.reset();
    if (!before.empty()) stage.bits_before = join(before, ",");
    stages.push_back(resolve(stage));
    before.push_back(layer_bits_text(bits));
  }
  stages.push_back(config);
  return stages;
}

std::string run_name(const TrainConfig& c) {
  const std::string base = c.dataset + "-" + c.model + "-";
  if (!c.quantized()) return base + "fp";
  return concat(base, "w", c.bits_of_weights(), "a", c.bits_of_activations(), c.bits_of.empty() ? "-" : "-mixed-",
                c.method);
}

}  // namespace ntq::apps
