#include "apps/session.h"

#include "apps/config_quant.h"
#include "apps/signals.h"
#include "base/check.h"
#include "models/model.h"
#include "optim/adam.h"
#include "optim/sgd.h"

namespace ntq::apps {

namespace {

std::optional<std::array<float, 3>> channels(const char* option, const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return parse_channels(option, *text);
}

/// SGD, and Adam for the parameters that ask for it; those bring their rate along as their factor.
std::unique_ptr<Optimizer> make_optimizer(const TrainConfig& c, const std::vector<Parameter>& parameters) {
  auto sgd = std::make_unique<Sgd>(parameters_of(parameters, ""),
                                   SgdOptions{.momentum = static_cast<float>(c.momentum),
                                              .weight_decay = static_cast<float>(c.weight_decay),
                                              .nesterov = c.nesterov});
  const std::vector<Parameter> of_adam = parameters_of(parameters, "adam");
  if (of_adam.empty()) return sgd;
  std::map<std::string, std::unique_ptr<Optimizer>> others;
  others.emplace("adam", std::make_unique<Adam>(of_adam, AdamOptions{.lr = 1.0f}));
  return std::make_unique<OptimizerSet>(std::move(sgd), std::move(others));
}

bool interrupted() { return stop_signal() != 0; }

}  // namespace

DatasetPair open_data(const TrainConfig& c, Console& console, const std::vector<std::string>& classes,
                      int64_t class_count) {
  DatasetOptions options;
  options.dir = c.data_dir;
  options.limit_train = c.limit_train, options.limit_val = c.limit_val;
  options.protocol = c.aug;
  options.image_size = c.image_size;
  options.fast_decode = c.fast_decode;
  options.val_labels = c.val_labels;
  options.class_names = classes;
  options.class_count = class_count;
  options.mean = channels("--mean", c.mean);
  options.deviation = channels("--std", c.std);
  options.progress = [&](int64_t images, int64_t folders, int64_t of) {
    console.progress(concat("reading class folders ", bar(static_cast<double>(folders) / static_cast<double>(of), 20),
                            " ", folders, "/", of, ", ", images, " images"));
  };
  DatasetPair data = open_dataset(c.dataset, options);
  console.clear_progress();
  for (const std::string& notice : data.notices) console.warn(notice);
  return data;
}

void check_gray(const TrainConfig& c, const DatasetInfo& info) {
  const auto check_option = [&](const char* option, const std::optional<std::string>& text) {
    const auto values = channels(option, text);
    if (!values || info.channels != 1 || ((*values)[0] == (*values)[1] && (*values)[1] == (*values)[2])) return;
    throw UsageError(
        concat(option, ": ", info.name, " has one channel: expected the same number three times, found ", *text));
  };
  check_option("--mean", c.mean);
  check_option("--std", c.std);
}

std::shared_ptr<Module> build_model(const TrainConfig& c, int64_t classes, int64_t channels) {
  ModelOptions options;
  options.classes = classes;
  options.in_channels = channels;
  options.stem = c.stem == "imagenet" ? Stem::imagenet : Stem::cifar;
  options.zero_init_residual = c.zero_init_residual;
  options.recompute_blocks = c.recompute == "blocks";
  options.weight.method = method_of(c, Side::weights);
  options.weight.bits = static_cast<int>(c.bits_of_weights());
  options.weight.per_channel = c.per_channel;
  options.weight.settings = settings_of(c, Side::weights);
  options.activation.method = method_of(c, Side::inputs);
  options.activation.bits = static_cast<int>(c.bits_of_activations());
  options.activation.settings = settings_of(c, Side::inputs);
  if (c.first_last_bits) options.first_last_bits = static_cast<int>(*c.first_last_bits);
  if (c.skip_bits && c.quantizes(Side::inputs)) options.skip_bits = static_cast<int>(*c.skip_bits);
  for (const auto& [name, text] : c.bits_of) options.bits_of[name] = parse_layer_bits("--bits-of " + name, text);
  options.seed = static_cast<uint64_t>(c.seed);
  try {
    return make_model(c.model, options);
  } catch (const std::invalid_argument&) {
    if (options.bits_of.empty()) throw;
    options.bits_of.clear();
    check_layer_names(c.bits_of, c.model, *make_model(c.model, options));
    throw;
  }
}

LoaderOptions loader_options(const TrainConfig& c, Device device) {
  return {.batch_size = c.batch_size,
          .workers = static_cast<int>(loader_workers(c)),
          .augment = !c.no_aug,
          .seed = static_cast<uint64_t>(c.seed),
          .device = device,
          .max_bad = c.max_bad_images,
          .interrupted = interrupted};
}

Session make_session(const TrainConfig& c, const DatasetPair& data) {
  if (!data.train) throw DataError(c.dataset + ": no training images, only a val folder is there");
  check_gray(c, data.train->info());
  if (data.train->size() < c.batch_size) {
    throw UsageError(
        concat("--batch-size: expected at most the ", data.train->size(), " training images, found ", c.batch_size));
  }
  Session s;
  s.config = c;
  s.data = data;
  s.record = record_of(data);
  s.activations = c.precision == "bf16" ? DType::bf16 : DType::f32;
  s.device = choose_device(c.device, c.precision);
  s.loss = cross_entropy(static_cast<float>(c.smoothing));
  s.model = build_model(c, data.train->info().classes, data.train->info().channels);
  s.model->to(s.device.device);
  const std::vector<Parameter> parameters = s.model->parameters();
  s.optimizer = make_optimizer(c, c.no_decay_vectors ? without_decay_on_vectors(parameters) : parameters);
  if (c.model_ema > 0) s.ema = std::make_unique<WeightAverage>(*s.model, static_cast<float>(c.model_ema));
  if (c.stats_every > 0) s.statistics = std::make_unique<WeightStatistics>(*s.model);
  s.schedule.kind = parse_schedule(c.sched);
  s.schedule.lr = static_cast<float>(c.lr.value());
  s.schedule.min_lr = static_cast<float>(c.min_lr);
  s.schedule.epochs = c.epochs;
  s.schedule.warmup_epochs = c.warmup_epochs;
  set_data(s, data, loader_options(c, s.device.device));
  return s;
}

}  // namespace ntq::apps
