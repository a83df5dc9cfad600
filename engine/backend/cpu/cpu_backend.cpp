#include "engine/backend/cpu/cpu_backend.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "base/ceil_div.h"
#include "base/check.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/in_float32.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/stored.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

/// Sum of kernel(begin, count) over fixed chunks of n elements, in their order: the same for any number of threads.
template <class Kernel>
double chunked_sum(int64_t n, Kernel&& kernel) {
  std::vector<double> partial(static_cast<size_t>(ceil_div(n, kGrain)));
  parallel_ranges(n, kGrain, 1,
                  [&](int64_t b, int64_t e) { partial[static_cast<size_t>(b / kGrain)] = kernel(b, e - b); });
  double total = 0;
  for (const double part : partial) total += part;
  return total;
}

/// task(step, begin, end) over all of [0, n), of which each of `steps` equal runs has its own step.
template <class Task>
void for_each_step(int64_t n, int64_t steps, int64_t work, Task&& task) {
  if (steps == 1) return parallel_ranges(n, kGrain / work, work, [&](int64_t b, int64_t e) { task(0, b, e); });
  const int64_t run = n / steps;
  parallel_for(steps, run * work, [&](int64_t i) { task(i, i * run, (i + 1) * run); });
}

}  // namespace

std::string CpuBackend::describe() const {
  return concat("cpu, ", k_.name, ", ", threads(), threads() == 1 ? " thread" : " threads");
}

bool CpuBackend::supports(Primitive primitive, DType type) const {
  switch (primitive) {
    // Of parameters, tables, images and logits alone.
    case Primitive::crop_images:
    case Primitive::inverse_std:
    case Primitive::softmax_cross_entropy:
    case Primitive::count_correct:
    case Primitive::basis_levels:
    case Primitive::basis_fit:
    case Primitive::companding:
    case Primitive::companding_grad:
    case Primitive::sgd_step:
    case Primitive::adam_step: return type == DType::f32;
    case Primitive::conv2d: return has_conv(ConvPass::forward, type);
    case Primitive::conv2d_grad_input: return has_conv(ConvPass::grad_input, type);
    case Primitive::conv2d_grad_weight: return has_conv(ConvPass::grad_weight, type);
    default: return type == DType::f32 || type == DType::bf16;
  }
}

void CpuBackend::copy(void* to, const void* from, size_t bytes, CopyKind) {
  if (bytes) std::memcpy(to, from, bytes);
}

void CpuBackend::zero(void* memory, size_t bytes) {
  constexpr size_t kBlock = kGrain * sizeof(float);
  parallel_for(static_cast<int64_t>((bytes + kBlock - 1) / kBlock), kGrain, [=](int64_t i) {
    const size_t begin = static_cast<size_t>(i) * kBlock;
    std::memset(static_cast<std::byte*>(memory) + begin, 0, std::min(kBlock, bytes - begin));
  });
}

void CpuBackend::sum_rows(ConstView x, View y) {
  const int64_t channels = y.size, rows = channels ? x.size / channels : 0;
  InFloat32 wide(*this);
  const float* const from = wide.in(x, rows * channels);
  const int64_t grain = std::max<int64_t>(16, kGrain / std::max<int64_t>(channels, 1));
  const int64_t chunks = ceil_div(rows, grain);
  Scratch partial(*this, chunks * channels);
  parallel_for(chunks, grain * channels, [&](int64_t i) {
    k_.sum_rows(from + i * grain * channels, partial.data() + i * channels, std::min(grain, rows - i * grain),
                channels);
  });
  k_.sum_rows(partial.data(), wide.out(y, channels), chunks, channels);
  wide.finish();
}

void CpuBackend::sum(ConstView x, double factor, View y) {
  InFloat32 wide(*this);
  const float* const from = wide.in(x, x.size);
  put_number(chunked_sum(x.size, [&](int64_t b, int64_t count) { return k_.sum(from + b, count); }) * factor, y);
}
double CpuBackend::total_abs(ConstView x) {
  InFloat32 wide(*this);
  const float* const from = wide.in(x, x.size);
  return chunked_sum(x.size, [&](int64_t b, int64_t count) { return k_.sum_abs(from + b, count); });
}
void CpuBackend::sum_abs(ConstView x, View y) { put_number(total_abs(x), y); }
void CpuBackend::all_finite(ConstView x, View y) {
  // A float64 sum of float32 magnitudes cannot overflow, so it is finite exactly when all of them are.
  put_number(std::isfinite(total_abs(x)) ? 1 : 0, y);
}

void CpuBackend::quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) {
  const float* const steps = values(step, step.size);
  with_stored(k_, x.type, [&]<class T>(const StoredKernels<T>& k) {
    const T* const from = values<T>(x, y.size);
    T* const to = values<T>(y, y.size);
    for_each_step(y.size, step.size, args.noise.c == 0 ? 1 : 8, [&](int64_t i, int64_t b, int64_t e) {
      k.quantize(from, {steps[i], args.range}, args.noise, to, b, e);
    });
  });
}

void CpuBackend::quantize_grad(const QuantizeArgs& args, ConstView x, ConstView step, ConstView dy, View dx,
                               View dstep) {
  const float* const steps = values(step, dstep.size);
  float* const dsteps = values(dstep, dstep.size);
  with_stored(k_, x.type, [&]<class T>(const StoredKernels<T>& k) {
    const T *const from = values<T>(x, dx.size), *const grad = values<T>(dy, dx.size);
    T* const to = values<T>(dx, dx.size);
    const auto part = [&](int64_t i, int64_t b, int64_t count) {
      return k.quantize_grad(from + b, {steps[i], args.range}, grad + b, to + b, count);
    };
    if (dstep.size == 1) {
      const double total = chunked_sum(dx.size, [&](int64_t b, int64_t count) { return part(0, b, count); });
      *dsteps = static_cast<float>(args.grad_scale * total);
      return;
    }
    for_each_step(dx.size, dstep.size, 1, [&](int64_t i, int64_t b, int64_t e) {
      dsteps[i] = static_cast<float>(args.grad_scale * part(i, b, e - b));
    });
  });
}

void CpuBackend::quantize_codes(QuantRange range, ConstView x, ConstView step, View codes, View checked) {
  const float* const steps = values(step, step.size);
  uint8_t* const to = bytes(codes, codes.size);
  with_stored(k_, x.type, [&]<class T>(const StoredKernels<T>& k) {
    const T* const from = values<T>(x, codes.size);
    const bool several = step.size != 1;
    std::vector<float> checks(static_cast<size_t>(several ? step.size : ceil_div(codes.size, kGrain)));
    for_each_step(codes.size, step.size, 1, [&](int64_t i, int64_t b, int64_t e) {
      checks[static_cast<size_t>(several ? i : b / kGrain)] =
          k.quantize_codes(from + b, {steps[i], range}, to + b, e - b);
    });
    if (!several) return put_checked_step(steps[0], checks, checked);
    float* const out = values(checked, step.size);
    for (int64_t i = 0; out && i < step.size; ++i) out[i] = steps[i] + checks[static_cast<size_t>(i)];
  });
}

void CpuBackend::decode_codes(ConstView codes, ConstView step, View y) {
  const float by = *values(step, 1);
  const uint8_t* const from = bytes(codes, y.size);
  with_stored(k_, y.type, [&]<class T>(const StoredKernels<T>& k) {
    T* const to = values<T>(y, y.size);
    parallel_ranges(y.size, kGrain, 1,
                    [&](int64_t b, int64_t e) { k.decode(from + b, codes.type == DType::i8, by, to + b, e - b); });
  });
}

void CpuBackend::quantize_error(QuantRange range, ConstView x, ConstView steps, View errors) {
  const float* const step = values(steps, errors.size);
  with_stored(k_, x.type, [&]<class T>(const StoredKernels<T>& k) {
    const T* const from = values<T>(x, x.size);
    for (int64_t i = 0; i < errors.size; ++i) {
      const auto part = [&](int64_t b, int64_t count) { return k.quantize_error(from + b, {step[i], range}, count); };
      put_number(chunked_sum(x.size, part), errors.part(i, 1));
    }
  });
}

void CpuBackend::sgd_step(const SgdUpdate& update, View w, ConstView g, View m) {
  const int64_t n = w.size;
  float *const weight = values(w, n), *const momentum = values(m, n);
  const float* const grad = values(g, n);
  parallel_ranges(n, kGrain, 1,
                  [&](int64_t b, int64_t e) { k_.sgd(update, weight + b, grad + b, momentum + b, e - b); });
}
void CpuBackend::adam_step(const AdamUpdate& update, View w, ConstView g, View m, View v) {
  const int64_t n = w.size;
  float *const weight = values(w, n), *const mean = values(m, n), *const square = values(v, n);
  const float* const grad = values(g, n);
  parallel_ranges(n, kGrain, 3,
                  [&](int64_t b, int64_t e) { k_.adam(update, weight + b, grad + b, mean + b, square + b, e - b); });
}

std::unique_ptr<CpuBackend> make_cpu_backend(const std::string& isa) {
  return std::make_unique<CpuBackend>(kernels_of(isa));
}

CpuBackend& cpu_backend() {
  // Never destroyed: tensors of static lifetime may outlive any order of destruction.
  static CpuBackend* const backend =
      new CpuBackend(chosen_kernels(), bf16::chosen_kernels(), integer::chosen_kernels());
  return *backend;
}

}  // namespace ntq::cpu
