#include "train/deployed.h"

#include "base/check.h"
#include "engine/backend/cpu_settings.h"

namespace ntq {

Tensor Deployed::forward(const Tensor& images) {
  const infer::MapShape s = model_.image();
  check(images.defined() && images.shape().rank() == 4 &&
            images.shape() == Shape{images.size(0), s.height, s.width, s.channels},
        "Deployed: expected images {N,", s.height, ",", s.width, ",", s.channels, "}, found ",
        images.defined() ? images.shape().str() : "none");
  const int64_t count = images.size(0);
  if (!work_ || count > batch_ || threads_ != cpu_threads()) {
    batch_ = std::max<int64_t>(count, 1), threads_ = cpu_threads();
    const auto run = [](int tasks, const std::function<void(int)>& task) {
      on_cpu_threads(tasks, [&](int64_t i) { task(static_cast<int>(i)); });
    };
    work_.emplace(model_, batch_, infer::ParallelFor{.threads = threads_, .run = run});
  }
  const Tensor here = images.to(Device());
  Tensor logits = Tensor::empty({count, model_.classes()});
  if (count > 0) model_.run(here.f32(), count, logits.f32(), *work_);
  return logits;
}

}  // namespace ntq
