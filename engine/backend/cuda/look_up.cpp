#include "engine/backend/cuda/kernels/look_up.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/fold.h"
#include "engine/backend/cuda/with_access.h"

namespace ntq::cuda {
namespace {

struct LookUpCall {
  ConstView x, dy;
  View y, sums;
};

void look_up_of(Backend& backend, Stream& stream, const Grid& grid, const LookUpTable& table, const LookUpCall& call) {
  const int64_t runs = table.tables(), count = table.count(), n = call.y.size, run = n / runs;
  const Tables tables = tables_of(floats(table.thresholds), floats(table.entries), count);
  const bool whole = aligned(call.x, call.dy, call.y);
  if (!call.sums) {
    return with_access(whole, [&](auto access) {
      stream.launch<LookUpKernel<access>>(grid, {tables, run, n, floats(call.x), floats(call.dy), floats(call.y)});
    });
  }
  const RunParts parts = run_parts(n, runs);
  const unsigned summing = summing_threads(count);
  const Scratch partial(backend, parts.parts * 2 * runs * count, DType::f64);
  if (!partial) return;
  auto* const sums = static_cast<double*>(partial.view().data);
  with_access(whole && (runs == 1 || run % 4 == 0), [&](auto access) {
    stream.launch<LookUpSumsKernel<access>>(
        {parts.blocks(), kPartThreads, look_up_shared(summing, count)},
        {tables, parts, summing, floats(call.x), floats(call.dy), floats(call.y), sums});
  });
  join_sums(stream, {sums, parts.parts, 2 * runs * count}, 1.0, call.sums);
}

}  // namespace

void CudaBackend::look_up(const LookUpTable& table, ConstView x, View y, View sums) {
  look_up_of(*this, *stream_, grid_for(ceil_div(y.size, 4)), table, {x, {}, y, sums});
}

void CudaBackend::look_up_grad(const LookUpTable& table, ConstView x, ConstView dy, View dx, View sums) {
  look_up_of(*this, *stream_, grid_for(ceil_div(dx.size, 4)), table, {x, dy, dx, sums});
}

}  // namespace ntq::cuda
