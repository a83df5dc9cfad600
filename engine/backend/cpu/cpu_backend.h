#pragma once
// The CPU backend: cuts each primitive into ranges for threads and hands them to the kernels of one instruction set.
#include <memory>

#include "base/check.h"
#include "base/isa.h"
#include "engine/backend/backend.h"
#include "engine/backend/cpu/allocator.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu {

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const Kernels& kernels) : k_(kernels) {}

  Device device() const override { return {}; }
  std::string describe() const override;
  std::string isa() const { return k_.name; }
  MemoryUse memory() const { return allocator_.use(); }

  void* allocate(size_t bytes) override { return allocator_.allocate(bytes); }
  void release(void* memory, size_t bytes) override { allocator_.release(memory, bytes); }
  void copy(void* to, const void* from, size_t bytes) override;
  void fill(float* y, float value, int64_t n) override;

  void scale(const float* x, float alpha, float* y, int64_t n) override;
  void axpy(float alpha, const float* x, float* y, int64_t n) override;
  void unary(Unary op, const float* x, float* y, int64_t n) override;
  void binary(Binary op, const float* a, const float* b, float* y, int64_t n) override;
  void binary_along(Binary op, const AxisView& view, const float* a, const float* b, bool b_first, float* y) override;
  void where(const float* condition, const float* a, const float* b, float* y, int64_t n) override;
  void fold(Fold op, const AxisView& view, const float* x, float* y) override;
  void relu(const float* x, float* y, int64_t n) override;
  void relu_grad(const float* y, const float* dy, float* dx, int64_t n) override;
  void sum_rows(const float* x, float* y, int64_t rows, int64_t channels) override;
  double sum(const float* x, int64_t n) override;
  double sum_abs(const float* x, int64_t n) override;
  bool all_finite(const float* x, int64_t n) override;

  void conv2d(const ConvGeometry& g, const float* x, const float* w, float* y) override;
  void conv2d_grad_input(const ConvGeometry& g, const float* dy, const float* w, float* dx) override;
  void conv2d_grad_weight(const ConvGeometry& g, const float* dy, const float* x, float* dw) override;

  void batch_norm_stats(const float* x, int64_t rows, int64_t channels, float* mean, float* var) override;
  void batch_norm_apply(const float* x, const float* mean, const float* inv_std, const float* gamma, const float* beta,
                        const float* residual, bool relu, int64_t rows, int64_t channels, float* y) override;
  void batch_norm_grad(const float* x, const float* y, const float* dy, const float* mean, const float* inv_std,
                       const float* gamma, int64_t rows, int64_t channels, float* dx, float* dgamma, float* dbeta,
                       float* d_residual) override;
  void batch_norm_grad_frozen(const float* x, const float* y, const float* dy, const float* mean, const float* inv_std,
                              const float* gamma, int64_t rows, int64_t channels, float* dx, float* dgamma,
                              float* dbeta, float* d_residual) override;

  void max_pool(const PoolGeometry& g, const float* x, float* y, int32_t* index) override;
  void max_pool_grad(const PoolGeometry& g, const float* dy, const int32_t* index, float* dx) override;
  void avg_pool(const PoolGeometry& g, const float* x, float* y) override;
  void avg_pool_grad(const PoolGeometry& g, const float* dy, float* dx) override;

  double softmax_cross_entropy(const float* logits, const int32_t* labels, int64_t rows, int64_t classes,
                               float smoothing, float* dlogits) override;

  void quantize(const float* x, const float* step, int64_t steps, QuantRange range, const QuantNoise& noise, float* y,
                int64_t n) override;
  void quantize_grad(const float* x, const float* step, int64_t steps, QuantRange range, float grad_scale,
                     const float* dy, float* dx, float* dstep, int64_t n) override;
  void quantize_codes(const float* x, const float* step, int64_t steps, QuantRange range, uint8_t* codes,
                      int64_t n) override;
  double quantize_error(const float* x, float step, QuantRange range, int64_t n) override;

  void sgd_step(const SgdUpdate& update, float* w, const float* g, float* momentum, int64_t n) override;
  void adam_step(const AdamUpdate& update, float* w, const float* g, float* m, float* v, int64_t n) override;

 private:
  void norm_grad(const struct NormArgs& args, bool frozen, int64_t rows, float* dx, float* dgamma, float* dbeta,
                 float* d_residual);

  const Kernels& k_;
  CachingAllocator allocator_;
};

/// A backend on the kernels of a named instruction set: for tests that compare them.
std::unique_ptr<CpuBackend> make_cpu_backend(const std::string& isa);
CpuBackend& cpu_backend();

/// Scratch memory of a backend for the length of a call.
class Scratch {
 public:
  Scratch(Backend& backend, int64_t floats)
      : backend_(backend), bytes_(bytes_of(floats)), memory_(backend.allocate(bytes_)) {}
  ~Scratch() { backend_.release(memory_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  float* data() const { return static_cast<float*>(memory_); }

 private:
  static size_t bytes_of(int64_t floats) {
    check(floats >= 0 && floats <= int64_t{1} << 60, "scratch memory: ", floats,
          " floats are more than any machine has");
    return static_cast<size_t>(floats) * sizeof(float);
  }
  Backend& backend_;
  size_t bytes_;
  void* memory_;
};

}  // namespace ntq::cpu
