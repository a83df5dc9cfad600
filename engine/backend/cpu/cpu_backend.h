#pragma once
// The CPU backend: cuts each primitive into ranges for threads and hands them to the kernels of one instruction set.
#include <memory>

#include "base/integer/kernels/kernels.h"
#include "base/isa.h"
#include "engine/backend/backend.h"
#include "engine/backend/cpu/allocator.h"
#include "engine/backend/cpu/bf16/kernels/kernels.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu {

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const Kernels& kernels) : CpuBackend(kernels, bf16::kernels_of(kernels.name)) {}
  CpuBackend(const Kernels& kernels, const bf16::Kernels& in_bf16)
      : CpuBackend(kernels, in_bf16, integer::kernels_of(kernels.name)) {}
  CpuBackend(const Kernels& kernels, const bf16::Kernels& in_bf16, const integer::Kernels& of_codes)
      : k_(kernels), k16_(in_bf16), k8_(of_codes) {}

  std::string describe() const override;
  bool supports(Primitive primitive, DType type) const override;
  std::string isa() const { return k_.name; }
  MemoryUse memory() const { return allocator_.use(); }
  void give_back_memory() { allocator_.give_back(); }

  bool host_memory() const override { return true; }
  void* allocate(size_t bytes, MemoryKind) override { return allocator_.allocate(bytes); }
  void release(void* memory, size_t bytes, MemoryKind) override { allocator_.release(memory, bytes); }
  void copy(void* to, const void* from, size_t bytes, CopyKind) override;
  void zero(void* memory, size_t bytes) override;
  void synchronize() override {}
  BackendError take_error() override { return {}; }

  void fill(float value, View y) override;
  void cast(ConstView x, View y) override;
  void scale(float alpha, ConstView x, View y) override;
  void axpy(float alpha, ConstView x, View y) override;
  void unary(Unary op, ConstView x, View y) override;
  void binary(Binary op, ConstView a, ConstView b, View y) override;
  void binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) override;
  void where(ConstView condition, ConstView a, ConstView b, View y) override;
  void relu(ConstView x, View y) override;
  void relu_grad(ConstView y, ConstView dy, View dx) override;

  void fold(Fold op, const AxisSplit& split, ConstView x, View y) override;
  void sum_rows(ConstView x, View y) override;
  void sum(ConstView x, double factor, View y) override;
  void sum_abs(ConstView x, View y) override;
  void all_finite(ConstView x, View y) override;

  void conv2d(const ConvGeometry& g, ConvInput x, ConstView w, View y) override;
  void conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) override;
  void conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConvInput x, View dw) override;
  int64_t packed_filters(const ConvGeometry& g, ConvPass pass, DType type) const override;
  void pack_filters(const ConvGeometry& g, ConvPass pass, ConstView w, ConstView scale, View packed) override;
  void conv2d_codes(const ConvGeometry& g, const CodeConv& codes, View y) override;

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
  void adam_step(const AdamUpdate& update, View w, ConstView g, View m, View v) override;

 private:
  double total_abs(ConstView x);

  const Kernels& k_;
  const bf16::Kernels& k16_;
  CachingAllocator allocator_;
  const integer::Kernels& k8_;
};

/// A backend on the kernels of a named instruction set: for tests that compare them.
std::unique_ptr<CpuBackend> make_cpu_backend(const std::string& isa);
CpuBackend& cpu_backend();

}  // namespace ntq::cpu
