#pragma once
// The backend of one GPU: sizes, grids and launches for the kernels of kernels/, memory, convolutions. The emulated
// device (tests/support/emulated) is the same class on another Stream.
#include <memory>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/convolutions.h"
#include "engine/backend/cuda/memory.h"
#include "engine/backend/cuda/stream.h"

namespace ntq::cuda {

class CudaBackend : public Backend {
 public:
  explicit CudaBackend(std::unique_ptr<Stream> stream)
      : stream_(std::move(stream)), memory_(*stream_), convolutions_(*stream_, memory_) {}

  std::string describe() const override;
  bool host_memory() const override { return false; }
  size_t bytes_free() const override { return stream_->bytes().free + memory_.use().reserved - memory_.use().in_use; }
  size_t bytes_held() const override { return memory_.use().reserved; }
  bool use_products(Products products) override;
  Products products() const override { return convolutions_.products(); }
  /// Convolutions take codes too, but not with bfloat16 beside them, which their support would promise.
  bool supports(Primitive, DType type) const override { return type == DType::f32; }
  MemoryUse memory() const { return memory_.use(); }

  void* allocate(size_t bytes, MemoryKind kind) override { return memory_.allocate(bytes, kind); }
  void release(void* memory, size_t bytes, MemoryKind kind) override;
  void copy(void* to, const void* from, size_t bytes, CopyKind kind) override;
  uint64_t mark() override { return stream_->mark(); }
  void copy_after(uint64_t place, void* to, const void* from, size_t bytes) override;
  void zero(void* memory, size_t bytes) override { stream_->zero(memory, bytes); }
  void synchronize() override { stream_->synchronize(); }
  BackendError take_error() override { return stream_->take_error(); }

  void fill(float value, View y) override;
  void cast(ConstView x, View y) override;
  void unary(Unary op, ConstView x, View y) override;
  void binary(Binary op, ConstView a, ConstView b, View y) override;
  void binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) override;
  void where(ConstView condition, ConstView a, ConstView b, View y) override;
  void scale(float alpha, ConstView x, View y) override;
  void axpy(float alpha, ConstView x, View y) override;
  void relu(ConstView x, View y) override;
  void relu_grad(ConstView y, ConstView dy, View dx) override;
  void spread(const AxisSplit& split, ConstView x, View y) override;

  void fold(Fold op, const AxisSplit& split, ConstView x, View y) override;
  void sum_rows(ConstView x, View y) override;
  void sum(ConstView x, double factor, View y) override;
  void sum_abs(ConstView x, View y) override;
  void all_finite(ConstView x, View y) override;

  void conv2d(const ConvGeometry& g, ConvInput x, ConstView w, View y) override;
  void conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) override;
  void conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConvInput x, View dw) override;

  void batch_norm_stats(ConstView x, const NormStats& stats) override;
  void inverse_std(ConstView var, float eps, View y) override;
  void batch_norm_apply(const NormArgs& args, View y) override;
  void batch_norm_grad(const NormArgs& args, const NormGrads& grads) override;
  void batch_norm_codes(const NormArgs& args, QuantRange range, ConstView step, View codes, View checked) override;
  void batch_norm_codes_grad(const NormArgs& args, const QuantizeArgs& quantizer, ConstView step,
                             const NormGrads& grads, View dstep) override;

  void max_pool(const PoolGeometry& g, ConstView x, View y, View index) override;
  void max_pool_grad(const PoolGeometry& g, ConstView dy, ConstView index, View dx) override;
  void avg_pool(const PoolGeometry& g, ConstView x, View y) override;
  void avg_pool_grad(const PoolGeometry& g, ConstView dy, View dx) override;
  void subsample(const SubsampleGeometry& g, ConstView x, View y) override;
  void subsample_grad(const SubsampleGeometry& g, ConstView dy, View dx) override;
  void crop_images(const ImageSizes& g, ConstView pixels, ConstView crops, ConstView values, View y) override;

  void softmax_cross_entropy(const CrossEntropyArgs& args, View loss, View dlogits) override;
  void count_correct(const CrossEntropyArgs& args, int64_t top, View hits) override;

  void quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) override;
  void quantize_grad(const QuantizeArgs& args, ConstView x, ConstView step, ConstView dy, View dx, View dstep) override;
  void quantize_codes(QuantRange range, ConstView x, ConstView step, View codes, View checked) override;
  void decode_codes(ConstView codes, ConstView step, View y) override;
  void quantize_error(QuantRange range, ConstView x, ConstView steps, View errors) override;

  void look_up(const LookUpTable& table, ConstView x, View y, View sums) override;
  void look_up_grad(const LookUpTable& table, ConstView x, ConstView dy, View dx, View sums) override;
  void basis_levels(const BasisArgs& args, ConstView basis, View levels, View midpoints, View codes) override;
  void basis_fit(const BasisFit& args, ConstView codes, ConstView sums, View basis) override;
  void companding(const CompandingArgs& args, ConstView theta, ConstView alpha, const CompandingTable& table) override;
  void companding_grad(const CompandingArgs& args, ConstView theta, ConstView alpha, ConstView sums, View dalpha,
                       View dtheta) override;

  void sgd_step(const SgdUpdate& update, View w, ConstView g, View m) override;
  void sgd_steps(std::span<const SgdTensor> tensors) override;
  void adam_step(const AdamUpdate& update, View w, ConstView g, View m, View v) override;

 private:
  /// For `items` pieces of work of any order: enough blocks to fill the device, and not more.
  Grid grid_for(int64_t items) const;

  /// y = f(in, ...), element by element.
  template <class F, class... In>
  void map(const F& f, View y, In... in);
  template <class Fold, class Out>
  void fold_by(const AxisSplit& split, ConstView x, typename Fold::Value factor, Out* y);

  std::unique_ptr<Stream> stream_;
  Memory memory_;
  Convolutions convolutions_;
};

/// The memory of a view of float32.
inline const float* floats(ConstView view) { return static_cast<const float*>(view.data); }
inline float* floats(View view) { return static_cast<float*>(view.data); }

}  // namespace ntq::cuda
