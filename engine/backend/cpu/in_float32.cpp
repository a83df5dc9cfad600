#include "engine/backend/cpu/in_float32.h"

#include "engine/backend/cpu/views.h"

namespace ntq::cpu {

const float* InFloat32::in(ConstView view, int64_t size) {
  if (!view || view.type == DType::f32) return values(view, size);
  check(view.size == size, "cpu: a primitive expected ", size, " ", dtype_name(view.type), ", found ", view.size);
  const Scratch& wide = *memory_.emplace_back(std::make_unique<Scratch>(backend_, size));
  backend_.cast(view, wide.view());
  return wide.data();
}

float* InFloat32::out(View view, int64_t size) {
  if (!view || view.type == DType::f32) return values(view, size);
  values<BFloat16>(view, size);
  const Scratch& wide = *memory_.emplace_back(std::make_unique<Scratch>(backend_, size));
  written_.push_back({&wide, view});
  return wide.data();
}

void InFloat32::finish() {
  for (const Written& w : written_) backend_.cast(w.wide->view(), w.view);
  written_.clear();
}

}  // namespace ntq::cpu
