#include "data/batch_work.h"

#include <algorithm>

namespace ntq {

void Work::leave_out_faults() {
  const int64_t image = batch.images.shape().numel_from(1);
  float* images = batch.images.f32();
  auto* labels = batch.labels.data<int32_t>();
  int64_t kept = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!faults[static_cast<size_t>(i)].empty()) continue;
    if (kept != i) {
      std::copy_n(images + i * image, image, images + kept * image);
      labels[kept] = labels[i];
    }
    ++kept;
  }
  if (kept == count) return;
  batch.images = batch.images.rows(0, kept);
  batch.labels = batch.labels.rows(0, kept);
}

}  // namespace ntq
