#include "engine/backend/cpu/cpu_backend.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::cpu {
namespace {

/// Sum of kernel(begin, count) over fixed chunks of n elements, in their order: the same for any number of threads.
template <class Kernel>
double chunked_sum(int64_t n, Kernel&& kernel) {
  std::vector<double> partial(static_cast<size_t>((n + kGrain - 1) / kGrain));
  parallel_ranges(n, kGrain, 1,
                  [&](int64_t b, int64_t e) { partial[static_cast<size_t>(b / kGrain)] = kernel(b, e - b); });
  double total = 0;
  for (const double part : partial) total += part;
  return total;
}

/// task(step, begin, end) over all of [0, n), of which each of `steps` equal runs has its own step.
template <class Task>
void for_each_step(int64_t n, int64_t steps, int64_t work, Task&& task) {
  if (steps == 1) return parallel_ranges(n, kGrain, work, [&](int64_t b, int64_t e) { task(0, b, e); });
  const int64_t run = n / steps;
  parallel_for(steps, run * work, [&](int64_t i) { task(i, i * run, (i + 1) * run); });
}

}  // namespace

std::string CpuBackend::describe() const {
  return concat("cpu, ", k_.name, ", ", threads(), threads() == 1 ? " thread" : " threads");
}

void CpuBackend::copy(void* to, const void* from, size_t bytes) {
  if (bytes) std::memcpy(to, from, bytes);
}

void CpuBackend::fill(float* y, float value, int64_t n) {
  parallel_ranges(n, kGrain, 1, [=](int64_t b, int64_t e) { std::fill(y + b, y + e, value); });
}

void CpuBackend::scale(const float* x, float alpha, float* y, int64_t n) {
  parallel_ranges(n, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.scale(x + i, alpha, y + i, e - i); });
}
void CpuBackend::axpy(float alpha, const float* x, float* y, int64_t n) {
  parallel_ranges(n, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.axpy(alpha, x + i, y + i, e - i); });
}
void CpuBackend::relu(const float* x, float* y, int64_t n) {
  parallel_ranges(n, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.relu(x + i, y + i, e - i); });
}
void CpuBackend::relu_grad(const float* y, const float* dy, float* dx, int64_t n) {
  parallel_ranges(n, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.relu_grad(y + i, dy + i, dx + i, e - i); });
}

void CpuBackend::sum_rows(const float* x, float* y, int64_t rows, int64_t channels) {
  const int64_t grain = std::max<int64_t>(16, kGrain / std::max<int64_t>(channels, 1));
  const int64_t chunks = (rows + grain - 1) / grain;
  Scratch partial(*this, chunks * channels);
  parallel_for(chunks, grain * channels, [&](int64_t i) {
    k_.sum_rows(x + i * grain * channels, partial.data() + i * channels, std::min(grain, rows - i * grain), channels);
  });
  k_.sum_rows(partial.data(), y, chunks, channels);
}

double CpuBackend::sum(const float* x, int64_t n) {
  return chunked_sum(n, [&](int64_t b, int64_t count) { return k_.sum(x + b, count); });
}
double CpuBackend::sum_abs(const float* x, int64_t n) {
  return chunked_sum(n, [&](int64_t b, int64_t count) { return k_.sum_abs(x + b, count); });
}
bool CpuBackend::all_finite(const float* x, int64_t n) {
  // A float64 sum of float32 magnitudes cannot overflow, so it is finite exactly when all of them are.
  return std::isfinite(sum_abs(x, n));
}

void CpuBackend::quantize(const float* x, const float* step, int64_t steps, QuantRange range, const QuantNoise& noise,
                          float* y, int64_t n) {
  for_each_step(n, steps, noise.c == 0 ? 1 : 16,
                [&](int64_t i, int64_t b, int64_t e) { k_.quantize(x, step[i], range, noise, y, b, e); });
}

void CpuBackend::quantize_grad(const float* x, const float* step, int64_t steps, QuantRange range, float grad_scale,
                               const float* dy, float* dx, float* dstep, int64_t n) {
  const auto grad = [&](int64_t i, int64_t b, int64_t count) {
    return k_.quantize_grad(x + b, step[i], range, dy + b, dx + b, count);
  };
  if (steps == 1) {
    *dstep =
        static_cast<float>(grad_scale * chunked_sum(n, [&](int64_t b, int64_t count) { return grad(0, b, count); }));
    return;
  }
  const int64_t run = n / steps;
  parallel_for(steps, run, [&](int64_t i) { dstep[i] = static_cast<float>(grad_scale * grad(i, i * run, run)); });
}

void CpuBackend::quantize_codes(const float* x, const float* step, int64_t steps, QuantRange range, uint8_t* codes,
                                int64_t n) {
  for_each_step(n, steps, 1,
                [&](int64_t i, int64_t b, int64_t e) { k_.quantize_codes(x + b, step[i], range, codes + b, e - b); });
}

double CpuBackend::quantize_error(const float* x, float step, QuantRange range, int64_t n) {
  return chunked_sum(n, [&](int64_t b, int64_t count) { return k_.quantize_error(x + b, step, range, count); });
}

void CpuBackend::adam_step(const AdamUpdate& update, float* w, const float* g, float* m, float* v, int64_t n) {
  parallel_ranges(n, kGrain, 3, [&](int64_t b, int64_t e) { k_.adam(update, w + b, g + b, m + b, v + b, e - b); });
}
void CpuBackend::sgd_step(const SgdUpdate& update, float* w, const float* g, float* m, int64_t n) {
  parallel_ranges(n, kGrain, 1, [&](int64_t b, int64_t e) { k_.sgd(update, w + b, g + b, m + b, e - b); });
}

std::unique_ptr<CpuBackend> make_cpu_backend(const std::string& isa) {
  return std::make_unique<CpuBackend>(kernels_of(isa));
}

CpuBackend& cpu_backend() {
  // Never destroyed: tensors of static lifetime may outlive any order of destruction.
  static CpuBackend* const backend = new CpuBackend(chosen_kernels());
  return *backend;
}

}  // namespace ntq::cpu
