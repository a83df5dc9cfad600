#pragma once
// A device that exists in memory only, to try the border between engine and backends without one: a module library of
// its own, work that is queued and done no sooner than someone waits, memory that the host cannot read. Arithmetic is
// plain loops and the portable kernels; what they lack it denies, and what has a default in class Backend is left to
// it.
#include <functional>
#include <mutex>
#include <set>
#include <vector>

#include "engine/backend/module_interface.h"
#include "tests/support/emulated/arena.h"
#include "tests/support/emulated/counters.h"

namespace ntq::emulated {

class Emulated : public Backend {
 public:
  explicit Emulated(size_t bytes) : arena_(bytes) {}
  Counters counters() const { return counters_; }

  std::string describe() const override;
  bool host_memory() const override { return false; }
  bool supports(Primitive primitive, DType type) const override;

  void* allocate(size_t bytes, MemoryKind kind) override;
  void release(void* memory, size_t bytes, MemoryKind kind) override;
  void copy(void* to, const void* from, size_t bytes, CopyKind kind) override;
  void zero(void* memory, size_t bytes) override;
  void synchronize() override;
  BackendError take_error() override;

  void fill(float value, View y) override;
  void cast(ConstView x, View y) override;
  void unary(Unary op, ConstView x, View y) override;
  void binary(Binary op, ConstView a, ConstView b, View y) override;
  void binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) override;
  void where(ConstView condition, ConstView a, ConstView b, View y) override;
  void fold(Fold op, const AxisSplit& split, ConstView x, View y) override;
  void sum(ConstView x, double factor, View y) override;

  void conv2d(const ConvGeometry& g, ConstView x, ConstView w, View y) override;
  void conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) override;
  void conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw) override;

  void batch_norm_stats(ConstView x, const NormStats& stats) override;
  void batch_norm_apply(const NormArgs& args, View y) override;
  void batch_norm_grad(const NormArgs& args, const NormGrads& grads) override;

  void max_pool(const PoolGeometry& g, ConstView x, View y, View index) override;
  void max_pool_grad(const PoolGeometry& g, ConstView dy, ConstView index, View dx) override;
  void avg_pool(const PoolGeometry& g, ConstView x, View y) override;
  void avg_pool_grad(const PoolGeometry& g, ConstView dy, View dx) override;

  void softmax_cross_entropy(const CrossEntropyArgs& args, View loss, View dlogits) override;
  void count_correct(const CrossEntropyArgs& args, int64_t top, View hits) override;

  void quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) override;
  void quantize_grad(const QuantizeArgs& args, ConstView x, ConstView step, ConstView dy, View dx, View dstep) override;
  void quantize_codes(QuantRange range, ConstView x, ConstView step, View codes, View checked) override;
  void decode_codes(ConstView codes, ConstView step, View y) override;

  void look_up(const LookUpTable& table, ConstView x, View y, View sums) override;
  void look_up_grad(const LookUpTable& table, ConstView x, ConstView dy, View dx, View sums) override;
  void basis_levels(const BasisArgs& args, ConstView basis, View levels, View midpoints, View codes) override;
  void basis_fit(const BasisFit& args, ConstView codes, ConstView sums, View basis) override;
  void companding(const CompandingArgs& args, ConstView theta, ConstView alpha, const CompandingTable& table) override;
  void companding_grad(const CompandingArgs& args, ConstView theta, ConstView alpha, ConstView sums, View dalpha,
                       View dtheta) override;

 private:
  /// Queues work. Nothing more is done after an error until it has been taken.
  void later(std::function<void()> work);
  void leave_error(BackendError::Code code, const char* text);
  void lacks(const char* primitive);

  mutable std::mutex mutex_;
  Arena arena_;
  std::set<void*> pinned_;
  std::vector<std::function<void()>> queue_;
  BackendError error_;
  Counters counters_;
};

inline const float* floats(ConstView view) { return static_cast<const float*>(view.data); }
inline float* floats(View view) { return static_cast<float*>(view.data); }

}  // namespace ntq::emulated
