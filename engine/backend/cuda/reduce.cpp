#include <algorithm>

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/fold.h"

namespace ntq::cuda {
namespace {

FoldPlan plan_of(const AxisSplit& split) {
  constexpr int64_t kEnough = 1024;  // blocks
  FoldPlan plan = in_one_part(split);
  const int64_t lanes = kMostThreads / plan.width;
  plan.parts = std::clamp<int64_t>(split.axis / (lanes * kValues), 1, std::max<int64_t>(1, kEnough / plan.blocks));
  plan.blocks *= plan.parts;
  return plan;
}

}  // namespace

template <class Fold, class Out>
void CudaBackend::fold_by(const AxisSplit& split, ConstView x, typename Fold::Value factor, Out* y) {
  using Value = typename Fold::Value;
  const int64_t columns = split.outer * split.inner;
  if (columns == 0) return;
  const FoldPlan plan = plan_of(split);
  if (plan.parts == 1) return launch_fold<Fold>(*stream_, split, plan, floats(x), factor, y);
  const Scratch parts(*this, plan.parts * columns, DTypeOf<Value>::value);
  if (!parts) return;
  auto* const values = static_cast<Value*>(parts.view().data);
  launch_fold<Fold>(*stream_, split, plan, floats(x), Value{1}, values);
  const AxisSplit of_parts{1, plan.parts, columns};
  launch_fold<typename Fold::Then>(*stream_, of_parts, in_one_part(of_parts), values, factor, y);
}

void CudaBackend::fold(Fold op, const AxisSplit& split, ConstView x, View y) {
  switch (op) {
    case Fold::sum: return fold_by<SumFold>(split, x, 1.0, floats(y));
    case Fold::max: return fold_by<MaxFold>(split, x, 1.0f, floats(y));
    case Fold::min: return fold_by<MinFold>(split, x, 1.0f, floats(y));
  }
}

void CudaBackend::sum_rows(ConstView x, View y) {
  fold(Fold::sum, {1, y.size > 0 ? x.size / y.size : 0, y.size}, x, y);
}

void CudaBackend::sum(ConstView x, double factor, View y) {
  if (y.type == DType::f64) return fold_by<SumFold>({1, x.size, 1}, x, factor, static_cast<double*>(y.data));
  fold_by<SumFold>({1, x.size, 1}, x, factor, floats(y));
}

void CudaBackend::sum_abs(ConstView x, View y) {
  if (y.type == DType::f64) return fold_by<SumAbsFold>({1, x.size, 1}, x, 1.0, static_cast<double*>(y.data));
  fold_by<SumAbsFold>({1, x.size, 1}, x, 1.0, floats(y));
}

void CudaBackend::all_finite(ConstView x, View y) { fold_by<FiniteFold>({1, x.size, 1}, x, 1.0f, floats(y)); }

}  // namespace ntq::cuda
