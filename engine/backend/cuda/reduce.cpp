#include "engine/backend/cuda/kernels/reduce.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/join_sums.h"
#include "engine/backend/cuda/with_access.h"

namespace ntq::cuda {
namespace {

/// y {1} = factor * the sum of x, or of its sizes.
void sum_of(Backend& backend, Stream& stream, ConstView x, bool of_sizes, double factor, View y) {
  const RunParts parts = run_parts(x.size);
  const Scratch partial(backend, parts.parts, DType::f64);
  if (!partial) return;
  auto* const sums = static_cast<double*>(partial.view().data);
  with_access(aligned(x), [&](auto access) {
    using Kernel = SumKernel<access>;
    stream.launch<Kernel>({parts.blocks(), kPartThreads, Kernel::kShared}, {parts, floats(x), of_sizes, sums});
  });
  join_sums(stream, {sums, parts.parts, 1}, factor, y);
}

/// Whether a thread for each result is enough to do.
bool by_thread(const AxisSplit& split) { return split.axis <= 64 || split.outer * split.inner >= 65536; }

}  // namespace

void CudaBackend::sum(ConstView x, double factor, View y) { sum_of(*this, *stream_, x, false, factor, y); }
void CudaBackend::sum_abs(ConstView x, View y) { sum_of(*this, *stream_, x, true, 1.0, y); }

void CudaBackend::all_finite(ConstView x, View y) {
  fill(1.0f, y);
  stream_->launch<AllFiniteKernel>(grid_for(x.size), {floats(x), floats(y), x.size});
}

void CudaBackend::fold(Fold op, const AxisSplit& split, ConstView x, View y) {
  const auto [outer, axis, inner] = split;
  const bool largest = op == Fold::max;
  if (y.size == 0) return;
  if (by_thread(split)) {
    if (op == Fold::sum) {
      stream_->launch<FoldByThreadKernel<SumFold>>(grid_for(y.size), {{}, floats(x), outer, axis, inner, floats(y)});
    } else {
      stream_->launch<FoldByThreadKernel<ExtremeFold>>(grid_for(y.size),
                                                       {{largest}, floats(x), outer, axis, inner, floats(y)});
    }
    return;
  }
  const FoldTiles tiles = fold_tiles(outer, axis, inner);
  const bool direct = op != Fold::sum && tiles.chunks == 1;
  const Scratch partial(*this, direct ? 0 : tiles.chunks * y.size, op == Fold::sum ? DType::f64 : DType::f32);
  if (!partial) return;
  if (op == Fold::sum) {
    auto* const sums = static_cast<double*>(partial.view().data);
    stream_->launch<FoldByBlockKernel<SumFold>>({tiles.blocks(), kPartThreads, FoldByBlockKernel<SumFold>::kShared},
                                                {{}, tiles, floats(x), sums});
    return join_sums(*stream_, {sums, tiles.chunks, y.size}, 1.0, y);
  }
  stream_->launch<FoldByBlockKernel<ExtremeFold>>(
      {tiles.blocks(), kPartThreads, FoldByBlockKernel<ExtremeFold>::kShared},
      {{largest}, tiles, floats(x), direct ? floats(y) : partial.data()});
  if (!direct) fold(op, {1, tiles.chunks, y.size}, partial.view(), y);
}

}  // namespace ntq::cuda
