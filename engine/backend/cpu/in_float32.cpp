#include "engine/backend/cpu/in_float32.h"

#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

template <class T>
void widen_codes(ConstView codes, float* to) {
  const T* const from = values<T>(codes, codes.size);
  parallel_ranges(codes.size, kGrain, 1, [=](int64_t b, int64_t e) { std::copy(from + b, from + e, to + b); });
}

}  // namespace

const float* InFloat32::in(ConstView view, int64_t size) {
  if (!view || view.type == DType::f32) return values(view, size);
  check(view.size == size, "cpu: a primitive expected ", size, " ", dtype_name(view.type), ", found ", view.size);
  const Scratch& wide = *memory_.emplace_back(std::make_unique<Scratch>(backend_, size));
  switch (view.type) {
    case DType::u8: widen_codes<uint8_t>(view, wide.data()); break;
    case DType::i8: widen_codes<int8_t>(view, wide.data()); break;
    default: backend_.cast(view, wide.view());
  }
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
