// The tables of quantizers: LQ-Nets' levels and LCQ's curve.
#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/kernels/basis.h"
#include "engine/backend/cuda/kernels/companding.h"

namespace ntq::cuda {

void CudaBackend::basis_levels(const BasisArgs& args, ConstView basis, View levels, View midpoints, View codes) {
  const auto tables = static_cast<unsigned>(basis.size / args.bits);
  stream_->launch<BasisLevelsKernel>({tables, 1u << args.bits, BasisLevelsKernel::kShared},
                                     {args, floats(basis), floats(levels), floats(midpoints), floats(codes)});
}

void CudaBackend::basis_fit(const BasisFit& args, ConstView codes, ConstView sums, View basis) {
  const auto tables = static_cast<unsigned>(basis.size / args.basis.bits);
  const auto* const sizes = static_cast<const double*>(sums.data);
  stream_->launch<BasisFitKernel>({tables, BasisFitKernel::kThreads, BasisFitKernel::kShared},
                                  {args, floats(codes), sizes, sizes + sums.size / 2, floats(basis)});
}

void CudaBackend::companding(const CompandingArgs& args, ConstView theta, ConstView alpha, const CompandingTable& t) {
  stream_->launch<CompandingKernel>(
      {1, kCurveThreads, CompandingKernel::kShared},
      {args, floats(theta), floats(alpha), floats(t.thresholds), floats(t.values), floats(t.slopes), floats(t.codes)});
}

void CudaBackend::companding_grad(const CompandingArgs& args, ConstView theta, ConstView alpha, ConstView sums,
                                  View dalpha, View dtheta) {
  stream_->launch<CompandingGradKernel>(
      {1, kCurveThreads, CompandingGradKernel::kShared},
      {args, floats(theta), floats(alpha), static_cast<const double*>(sums.data), floats(dalpha), floats(dtheta)});
}

}  // namespace ntq::cuda
