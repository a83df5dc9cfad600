// What has no kernel yet. A family that gets its own takes its lines from here.
#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {

bool CudaBackend::is_pending(Primitive primitive) {
  switch (primitive) {
    case Primitive::cast:
    case Primitive::unary:
    case Primitive::binary:
    case Primitive::binary_along:
    case Primitive::where:
    case Primitive::fold:
    case Primitive::sum:
    case Primitive::batch_norm_stats:
    case Primitive::batch_norm_apply:
    case Primitive::batch_norm_grad:
    case Primitive::max_pool:
    case Primitive::max_pool_grad:
    case Primitive::avg_pool:
    case Primitive::avg_pool_grad:
    case Primitive::softmax_cross_entropy:
    case Primitive::count_correct:
    case Primitive::quantize:
    case Primitive::quantize_grad:
    case Primitive::quantize_codes:
    case Primitive::decode_codes:
    case Primitive::look_up:
    case Primitive::look_up_grad:
    case Primitive::basis_levels:
    case Primitive::basis_fit:
    case Primitive::companding:
    case Primitive::companding_grad:
    case Primitive::scale:
    case Primitive::axpy:
    case Primitive::relu:
    case Primitive::relu_grad:
    case Primitive::sum_rows:
    case Primitive::spread:
    case Primitive::sum_abs:
    case Primitive::all_finite:
    case Primitive::inverse_std:
    case Primitive::batch_norm_codes:
    case Primitive::batch_norm_codes_grad:
    case Primitive::subsample:
    case Primitive::subsample_grad:
    case Primitive::quantize_error:
    case Primitive::sgd_step:
    case Primitive::adam_step:
    case Primitive::conv2d_codes: return true;
    default: return false;
  }
}

void CudaBackend::cast(ConstView, View) { leave_pending(); }
void CudaBackend::unary(Unary, ConstView, View) { leave_pending(); }
void CudaBackend::binary(Binary, ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::binary_along(const AlongArgs&, ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::where(ConstView, ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::fold(Fold, const AxisSplit&, ConstView, View) { leave_pending(); }
void CudaBackend::sum(ConstView, double, View) { leave_pending(); }
void CudaBackend::batch_norm_stats(ConstView, const NormStats&) { leave_pending(); }
void CudaBackend::batch_norm_apply(const NormArgs&, View) { leave_pending(); }
void CudaBackend::batch_norm_grad(const NormArgs&, const NormGrads&) { leave_pending(); }
void CudaBackend::max_pool(const PoolGeometry&, ConstView, View, View) { leave_pending(); }
void CudaBackend::max_pool_grad(const PoolGeometry&, ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::avg_pool(const PoolGeometry&, ConstView, View) { leave_pending(); }
void CudaBackend::avg_pool_grad(const PoolGeometry&, ConstView, View) { leave_pending(); }
void CudaBackend::softmax_cross_entropy(const CrossEntropyArgs&, View, View) { leave_pending(); }
void CudaBackend::count_correct(const CrossEntropyArgs&, int64_t, View) { leave_pending(); }
void CudaBackend::quantize(const QuantizeArgs&, ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::quantize_grad(const QuantizeArgs&, ConstView, ConstView, ConstView, View, View) { leave_pending(); }
void CudaBackend::quantize_codes(QuantRange, ConstView, ConstView, View, View) { leave_pending(); }
void CudaBackend::decode_codes(ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::look_up(const LookUpTable&, ConstView, View, View) { leave_pending(); }
void CudaBackend::look_up_grad(const LookUpTable&, ConstView, ConstView, View, View) { leave_pending(); }
void CudaBackend::basis_levels(const BasisArgs&, ConstView, View, View, View) { leave_pending(); }
void CudaBackend::basis_fit(const BasisFit&, ConstView, ConstView, View) { leave_pending(); }
void CudaBackend::companding(const CompandingArgs&, ConstView, ConstView, const CompandingTable&) { leave_pending(); }
void CudaBackend::companding_grad(const CompandingArgs&, ConstView, ConstView, ConstView, View, View) {
  leave_pending();
}

}  // namespace ntq::cuda
