#pragma once
// A device that computes nothing and keeps nothing: what a training step of any size asks of convolutions is seen in no
// time, from the very calls that a GPU would get.
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/cudnn/problem.h"

namespace ntq::test {

class Recorder : public Backend {
 public:
  std::vector<cudnn::Problem> problems;  ///< in the order of the calls, repeated ones too

  std::string describe() const override { return "nothing"; }
  bool host_memory() const override { return false; }
  bool supports(Primitive, DType) const override { return true; }
  /// Addresses that nobody may look at.
  void* allocate(size_t, MemoryKind) override { return reinterpret_cast<void*>(uintptr_t{256} * ++allocations_); }
  void release(void*, size_t, MemoryKind) override {}
  void copy(void*, const void*, size_t, CopyKind) override {}
  void zero(void*, size_t) override {}
  void synchronize() override {}
  BackendError take_error() override { return {}; }

  void conv2d(const ConvGeometry& g, ConvInput, ConstView, View) override { note(cudnn::Direction::forward, g); }
  void conv2d_grad_input(const ConvGeometry& g, ConstView, ConstView, View) override {
    note(cudnn::Direction::grad_input, g);
  }
  void conv2d_grad_weight(const ConvGeometry& g, ConstView, ConvInput, View) override {
    note(cudnn::Direction::grad_weight, g);
  }

  void fill(float, View) override {}
  void cast(ConstView, View) override {}
  void unary(Unary, ConstView, View) override {}
  void binary(Binary, ConstView, ConstView, View) override {}
  void binary_along(const AlongArgs&, ConstView, ConstView, View) override {}
  void where(ConstView, ConstView, ConstView, View) override {}
  void fold(Fold, const AxisSplit&, ConstView, View) override {}
  void sum(ConstView, double, View) override {}
  void batch_norm_stats(ConstView, const NormStats&) override {}
  void batch_norm_apply(const NormArgs&, View) override {}
  void batch_norm_grad(const NormArgs&, const NormGrads&) override {}
  void max_pool(const PoolGeometry&, ConstView, View, View) override {}
  void max_pool_grad(const PoolGeometry&, ConstView, ConstView, View) override {}
  void avg_pool(const PoolGeometry&, ConstView, View) override {}
  void avg_pool_grad(const PoolGeometry&, ConstView, View) override {}
  void subsample(const SubsampleGeometry&, ConstView, View) override {}
  void subsample_grad(const SubsampleGeometry&, ConstView, View) override {}
  void crop_images(const ImageSizes&, ConstView, ConstView, ConstView, View) override {}
  void softmax_cross_entropy(const CrossEntropyArgs&, View, View) override {}
  void count_correct(const CrossEntropyArgs&, int64_t, View) override {}
  void quantize(const QuantizeArgs&, ConstView, ConstView, View) override {}
  void quantize_grad(const QuantizeArgs&, ConstView, ConstView, ConstView, View, View) override {}
  void quantize_codes(QuantRange, ConstView, ConstView, View, View) override {}
  void decode_codes(ConstView, ConstView, View) override {}
  void look_up(const LookUpTable&, ConstView, View, View) override {}
  void look_up_grad(const LookUpTable&, ConstView, ConstView, View, View) override {}
  void basis_levels(const BasisArgs&, ConstView, View, View, View) override {}
  void basis_fit(const BasisFit&, ConstView, ConstView, View) override {}
  void companding(const CompandingArgs&, ConstView, ConstView, const CompandingTable&) override {}
  void companding_grad(const CompandingArgs&, ConstView, ConstView, ConstView, View, View) override {}

 private:
  void note(cudnn::Direction direction, const ConvGeometry& g) { problems.push_back({direction, g}); }

  uintptr_t allocations_ = 0;
};

}  // namespace ntq::test
