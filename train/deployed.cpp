#include "train/deployed.h"

#include <algorithm>

#include "base/check.h"
#include "engine/backend/cpu_settings.h"
#include "export/lower.h"
#include "quant/tree.h"

namespace ntq {

infer::ParallelFor cpu_parallel() {
  const auto run = [](int tasks, const std::function<void(int)>& task) {
    on_cpu_threads(tasks, [&](int64_t i) { task(static_cast<int>(i)); });
  };
  return {.threads = cpu_threads(), .run = run};
}

Tensor Deployed::forward(const Tensor& images) {
  const infer::MapShape s = model_.image();
  check(images.defined() && images.shape().rank() == 4 &&
            images.shape() == Shape{images.size(0), s.height, s.width, s.channels},
        "Deployed: expected images {N,", s.height, ",", s.width, ",", s.channels, "}, found ",
        images.defined() ? images.shape().str() : "none");
  const int64_t count = images.size(0);
  if (!work_ || count > batch_ || threads_ != cpu_threads()) {
    batch_ = std::max<int64_t>(count, 1), threads_ = cpu_threads();
    work_.emplace(model_, batch_, cpu_parallel());
  }
  const Tensor here = images.to(Device());
  Tensor logits = Tensor::empty({count, model_.classes()});
  if (count > 0) model_.run(here.f32(), count, logits.f32(), *work_);
  return logits.to(images.device());
}

AsDeployed as_deployed(Module& model, const Shape& images) {
  if (const auto* deployed = dynamic_cast<const Deployed*>(&model))
    return {nullptr, arithmetic_text(deployed->model().graph())};
  const Quantizers quantizers(model);
  if (std::none_of(quantizers.begin(), quantizers.end(), [](const Quantizer* q) { return q->enabled(); }))
    return {nullptr, "float32 (full precision)"};
  const NamedTensors parameters = model.named_parameters();
  if (!parameters.empty() && !parameters.front().second.on_host())
    return {nullptr, concat("float32 (on ", parameters.front().second.device().str(), ")")};
  for (const Quantizer* q : quantizers) {
    if (q->enabled() && !q->ready()) return {nullptr, concat("float32 (the step of ", q->spec().name, " is not set)")};
  }
  try {
    Lowered lowered = lower(model, {images[1], images[2], images[3]});
    std::string arithmetic = lowering_text(lowered);
    return {std::make_unique<Deployed>(infer::Model(std::move(lowered.graph))), std::move(arithmetic)};
  } catch (const CannotDeploy& e) {
    return {nullptr, concat("float32 (", e.what(), ")")};
  } catch (const DivergedError& e) {  // its outputs will tell
    return {nullptr, concat("float32 (", e.what(), ")")};
  }
}

}  // namespace ntq
