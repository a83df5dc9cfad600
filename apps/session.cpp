#include "apps/session.h"

#include "engine/check.h"
#include "models/model.h"

namespace ntq::apps {

namespace {

/// How many bad images a loader may leave out.
int64_t max_bad(const TrainConfig& c, bool training) {
  return c.max_bad_images >= 0 ? c.max_bad_images : training ? 10 : 0;
}

}  // namespace

DatasetPair open_data(const TrainConfig& c, Console& console) {
  DatasetOptions options;
  if (!c.data_dir.empty()) options.dir = c.data_dir;
  if (c.limit_train > 0) options.limit_train = c.limit_train;
  if (c.limit_val > 0) options.limit_val = c.limit_val;
  options.protocol = c.aug;
  options.image_size = c.image_size;
  options.fast_decode = c.fast_decode;
  if (!c.val_labels.empty()) options.val_labels = c.val_labels;
  if (!c.mean.empty()) options.mean = parse_channels("--mean", c.mean);
  if (!c.std.empty()) options.deviation = parse_channels("--std", c.std);
  options.progress = [&](int64_t images, int64_t folders, int64_t of) {
    console.progress(concat("reading class folders ", bar(static_cast<double>(folders) / static_cast<double>(of), 20),
                            " ", folders, "/", of, ", ", images, " images"));
  };
  DatasetPair data = open_dataset(c.dataset, options);
  console.clear_progress();
  return data;
}

std::shared_ptr<Module> build_model(const TrainConfig& c, int64_t classes, int64_t channels) {
  QuantSpec spec;
  spec.method = c.method;
  spec.bits = static_cast<int>(c.weight_bits);
  spec.noise_c = static_cast<float>(c.noise);
  spec.noise_k = static_cast<float>(c.noise_k);
  spec.seed = static_cast<uint64_t>(c.seed);
  spec.step_init = c.step_init == "mse" ? StepInit::least_error : StepInit::mean_abs;
  ModelOptions options;
  options.classes = classes;
  options.in_channels = channels;
  options.stem = c.stem == "imagenet" ? Stem::imagenet : Stem::cifar;
  options.zero_init_residual = c.zero_init_residual;
  options.weight = spec;
  spec.bits = static_cast<int>(c.act_bits);
  spec.is_signed = spec.is_weight = false;
  options.activation = spec;
  options.first_last_bits = static_cast<int>(c.first_last_bits);
  options.seed = static_cast<uint64_t>(c.seed);
  return make_model(c.model, options);
}

std::unique_ptr<DataLoader> make_val_loader(const TrainConfig& c, const DatasetPair& data) {
  return std::make_unique<DataLoader>(data.val, LoaderOptions{.batch_size = c.batch_size,
                                                              .workers = static_cast<int>(c.workers),
                                                              .shuffle = false,
                                                              .augment = false,
                                                              .drop_last = false,
                                                              .max_bad = max_bad(c, false)});
}

std::unique_ptr<DataLoader> make_train_loader(const TrainConfig& c, const DatasetPair& data) {
  return std::make_unique<DataLoader>(data.train, LoaderOptions{.batch_size = c.batch_size,
                                                                .workers = static_cast<int>(c.workers),
                                                                .augment = !c.no_aug,
                                                                .seed = static_cast<uint64_t>(c.seed),
                                                                .max_bad = max_bad(c, true)});
}

Session make_session(const TrainConfig& c, const DatasetPair& data) {
  if (!data.train) throw DataError(c.dataset + ": no training images, only a val folder is there");
  if (data.train->size() < c.batch_size) {
    throw UsageError(
        concat("--batch-size: expected at most the ", data.train->size(), " training images, found ", c.batch_size));
  }
  Session s;
  s.config = c;
  s.data = data;
  s.model = build_model(c, data.train->info().classes, data.train->info().channels);
  s.optimizer = std::make_unique<Sgd>(s.model->named_parameters(),
                                      SgdOptions{.momentum = static_cast<float>(c.momentum),
                                                 .weight_decay = static_cast<float>(c.weight_decay),
                                                 .nesterov = c.nesterov},
                                      c.no_decay_vectors ? no_decay_on_vectors(*s.model) : default_groups());
  if (c.model_ema > 0) s.ema = std::make_unique<WeightAverage>(*s.model, static_cast<float>(c.model_ema));
  s.train_loader = make_train_loader(c, data);
  s.val_loader = make_val_loader(c, data);
  s.schedule.kind = parse_schedule(c.sched);
  s.schedule.lr = static_cast<float>(c.lr);
  s.schedule.min_lr = static_cast<float>(c.min_lr);
  s.schedule.steps_per_epoch = s.train_loader->batches_per_epoch();
  s.schedule.epochs = c.epochs;
  s.schedule.warmup_epochs = c.warmup_epochs;
  return s;
}

}  // namespace ntq::apps
