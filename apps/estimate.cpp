#include "apps/estimate.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "apps/text.h"
#include "base/check.h"
#include "base/peak_memory.h"
#include "engine/autograd.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/registry.h"
#include "train/checkpoint.h"
#include "train/deployed.h"

namespace ntq::apps {
namespace {

template <class Work>
double seconds_of(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::string Estimate::str() const {
  return concat(general(step_seconds, 3), "s a step, ", duration(epoch_seconds()), " an epoch of ", steps_per_epoch,
                " steps, ", duration(total_seconds()), " for ", epochs, epochs == 1 ? " epoch, " : " epochs, ",
                bytes_text(static_cast<double>(memory_bytes)), " of memory");
}

nlohmann::ordered_json Estimate::json() const {
  return {{"epochs", epochs},
          {"steps_per_epoch", steps_per_epoch},
          {"seconds_per_step", step_seconds},
          {"seconds_per_epoch", epoch_seconds()},
          {"seconds", total_seconds()},
          {"memory_bytes", memory_bytes}};
}

Estimate estimate_stage(Session& s) {
  Estimate out;
  TensorFile before = checkpoint_file(s);
  for (auto& [name, tensor] : before.tensors)
    tensor = tensor.on_host() ? tensor.clone() : tensor.to(Device()),
    out.kept_bytes += static_cast<int64_t>(tensor.bytes());
  TrainConfig quiet = s.config;
  quiet.workers = 0;
  DataLoader loader(s.data.train, loader_options(quiet, s.device.device));
  loader.start(0);
  const auto batch = loader.next();
  const float lr = s.schedule.at(0);
  const auto step = [&] {
    const StepResult result = train_step(*s.model, *s.optimizer, *batch, s.loss, lr, s.activations);
    if (result.images > 0) result.loss.item();  // waits for the device
    if (s.ema) s.ema->update();
    if (s.statistics) s.statistics->look(false), s.statistics->read();
  };

  out.epochs = s.config.epochs;
  out.steps_per_epoch = s.schedule.steps_per_epoch;
  out.validation_batches = s.val_loader->batches_per_epoch();
  const bool slow = seconds_of(step) > 2;
  out.step_seconds = seconds_of(step);
  if (!slow) out.step_seconds = std::min(out.step_seconds, seconds_of(step));
  const NoGrad no_grad;
  s.optimizer->zero_grad();
  s.model->eval();
  give_back_cpu_memory();  // as evaluate() does
  const Tensor images = on_device_of(*s.model, *batch).images;
  const AsDeployed deployed = as_deployed(*s.model, images.shape());  // as evaluate() has it
  Module& network = deployed.network ? *deployed.network : *s.model;
  network.forward(images);
  out.validation_batch_seconds = seconds_of([&] { network.forward(images); });
  out.memory_bytes = peak_memory();
  restore(s, read_checkpoint(std::move(before), "estimate"), "estimate");
  return out;
}

DataRate measure_data_rate(const Session& s) {
  DataLoader loader(s.data.train, loader_options(s.config, s.device.device));
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  loader.start(0);
  int64_t images = 0;
  while (const auto batch = loader.next()) {
    synchronize(s.device.device);
    images += batch->labels.numel();
    if (seconds() > 2) break;
  }
  return {static_cast<double>(images) / seconds(), loader.workers()};
}

std::string bottleneck_text(const DataRate& rate, double model_images_per_s) {
  const bool data = rate.images_per_s < model_images_per_s;
  return concat("data: ", fixed(rate.images_per_s, 0), " images/s",
                rate.workers == 0 ? "" : concat(" with ", rate.workers, rate.workers == 1 ? " worker" : " workers"),
                ", the model takes ", fixed(model_images_per_s, 0), ": the ",
                data ? "data are the bottleneck, try more --workers" : "model is the bottleneck");
}

}  // namespace ntq::apps
