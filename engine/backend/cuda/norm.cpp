// Batch norm: statistics in two launches, values or codes in one, gradients in three.
#include "engine/backend/cuda/kernels/norm.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/kernels/norm_grad.h"
#include "engine/backend/cuda/kernels/quantize.h"
#include "engine/backend/cuda/with_access.h"

namespace ntq::cuda {
namespace {

RowTiles tiles_of(int64_t size, int64_t channels) { return row_tiles(channels > 0 ? size / channels : 0, channels); }
bool whole(const RowTiles& tiles) { return tiles.channels % 4 == 0; }
RowTiles backwards(RowTiles tiles) {
  tiles.backwards = true;
  return tiles;
}
unsigned join_blocks(int64_t channels) { return static_cast<unsigned>(ceil_div(channels, int64_t{kJoinChannels})); }

NormInputs inputs_of(const NormArgs& a) {
  return {floats(a.x), floats(a.mean), floats(a.inv_std), floats(a.gamma), floats(a.beta), a.relu};
}

/// The gradient of what lies behind a norm, and where its parts go.
struct NormGradCall {
  NormGradInputs in;
  RowTiles tiles;
  float* masked;  ///< dy for the second pass, or none
  bool whole;     ///< packs
};

/// with(NormReads) of what the call reads.
template <class With>
void with_reads(const NormGradInputs& in, const With& with) {
  if (in.dy_codes) return with(NormReads<4, true>());
  if (in.third) return in.step ? with(NormReads<3, true>()) : with(NormReads<3, false>());
  in.step ? with(NormReads<2, true>()) : with(NormReads<2, false>());
}

void launch_sums(Stream& stream, const NormGradCall& call, NormGradSums* partial, double* of_step) {
  with_reads(call.in, [&]<class Reads>(Reads) {
    with_access(call.whole, [&](auto access) {
      using Kernel = NormGradSumsKernel<Reads, access>;
      stream.launch<Kernel>(grid_of(call.tiles, Kernel::kShared), {call.tiles, call.in, call.masked, partial, of_step});
    });
  });
}

void launch_apply(Stream& stream, const NormGradCall& call, const float* means, float* dx) {
  with_reads(call.in, [&]<class Reads>(Reads) {
    with_access(call.whole, [&](auto access) {
      if constexpr (Reads::kTensors < 4) {  // the gradient of codes has been added to dy
        stream.launch<NormGradApplyKernel<Reads, access>>(grid_of(call.tiles),
                                                          {backwards(call.tiles), call.in, means, dx});
      }
    });
  });
}

/// Behind a norm; without a step there is none.
struct NormQuantizer {
  QuantizeArgs args = {};
  ConstView step = {};
  View dstep = {};
};

void norm_grad(Backend& backend, Stream& stream, const NormArgs& a, const NormGrads& grads,
               const NormQuantizer& quantizer) {
  const int64_t channels = a.gamma.size;
  NormGradCall call{.in = {.of = inputs_of(a),
                           .of_y = static_cast<bool>(a.y),
                           .dy = floats(a.dy),
                           .third = a.y ? floats(a.y) : floats(a.residual),
                           .dy_codes = floats(a.dy_codes),
                           .step = floats(quantizer.step),
                           .range = quantizer.args.range},
                    .tiles = tiles_of(grads.dx.size, channels),
                    .masked = grads.d_residual ? floats(grads.d_residual)
                              : a.dy_codes     ? floats(grads.dx)
                                               : nullptr,
                    .whole = channels % 4 == 0 && aligned(a.x, a.mean, a.inv_std, a.gamma, a.beta, a.residual, a.y,
                                                          a.dy, a.dy_codes, grads.dx, grads.d_residual)};
  if (!quantizer.step) call.in.of.relu = a.relu || a.y;
  if (!call.in.of.relu && !quantizer.step) call.in.third = nullptr;  // nothing is masked
  const RowTiles& tiles = call.tiles;
  const Scratch partial(backend, tiles.chunks * channels * 2, DType::f64), means(backend, 2 * channels),
      step_parts(backend, tiles.blocks(), DType::f64);
  if (!partial || !means || !step_parts) return;
  auto* const sums = static_cast<NormGradSums*>(partial.view().data);
  auto* const of_step = quantizer.step ? static_cast<double*>(step_parts.view().data) : nullptr;
  launch_sums(stream, call, sums, of_step);
  stream.launch<NormGradJoinKernel>(
      {join_blocks(channels) + (of_step ? 1 : 0), kTileThreads, NormGradJoinKernel::kShared},
      {tiles.rows, channels, tiles.chunks, tiles.blocks(), sums, of_step, floats(a.inv_std), a.frozen,
       quantizer.args.grad_scale, means.data(), floats(grads.dgamma), floats(grads.dbeta), floats(quantizer.dstep)});
  if (call.masked) {
    call.in.of.relu = false;
    call.in.dy = call.masked;
    call.in.third = call.in.dy_codes = call.in.step = nullptr;
  }
  launch_apply(stream, call, means.data(), floats(grads.dx));
}

}  // namespace

void CudaBackend::batch_norm_stats(ConstView x, const NormStats& stats) {
  const int64_t channels = stats.mean.size;
  const RowTiles tiles = tiles_of(x.size, channels);
  const Scratch partial(*this, tiles.chunks * channels * int64_t{sizeof(NormSums)}, DType::u8);
  if (!partial) return;
  auto* const sums = static_cast<NormSums*>(partial.view().data);
  with_access(whole(tiles) && aligned(x), [&](auto access) {
    using Kernel = NormStatsKernel<access>;
    stream_->launch<Kernel>(grid_of(tiles, Kernel::kShared), {tiles, floats(x), sums});
  });
  const auto unbias = static_cast<float>(static_cast<double>(tiles.rows) / static_cast<double>(tiles.rows - 1));
  stream_->launch<NormStatsJoinKernel>(
      {join_blocks(channels), kTileThreads, NormStatsJoinKernel::kShared},
      {tiles.rows, channels, tiles.chunk, tiles.chunks, sums, floats(stats.mean), floats(stats.inv_std),
       floats(stats.running_mean), floats(stats.running_var), stats.momentum, stats.eps, unbias});
}

void CudaBackend::inverse_std(ConstView var, float eps, View y) {
  stream_->launch<InverseStdKernel>(grid_for(y.size), {floats(var), eps, floats(y), y.size});
}

void CudaBackend::batch_norm_apply(const NormArgs& a, View y) {
  const RowTiles tiles = tiles_of(y.size, a.gamma.size);
  with_access(whole(tiles) && aligned(a.x, a.mean, a.inv_std, a.gamma, a.beta, a.residual, y), [&](auto access) {
    stream_->launch<NormApplyKernel<access>>(grid_of(tiles),
                                             {backwards(tiles), inputs_of(a), floats(a.residual), floats(y)});
  });
}

void CudaBackend::batch_norm_codes(const NormArgs& a, QuantRange range, ConstView step, View codes, View checked) {
  const RowTiles tiles = tiles_of(codes.size, a.gamma.size);
  auto* const to = static_cast<uint8_t*>(codes.data);
  if (checked) stream_->launch<CopyStepsKernel>(grid_for(1), {floats(step), floats(checked), 1});
  with_access(whole(tiles) && aligned(a.x, a.mean, a.inv_std, a.gamma, a.beta, a.residual, codes), [&](auto access) {
    stream_->launch<NormCodesKernel<access>>(
        grid_of(tiles), {backwards(tiles), inputs_of(a), floats(a.residual), floats(step), range, to, floats(checked)});
  });
}

void CudaBackend::batch_norm_grad(const NormArgs& args, const NormGrads& grads) {
  norm_grad(*this, *stream_, args, grads, {});
}

void CudaBackend::batch_norm_codes_grad(const NormArgs& args, const QuantizeArgs& quantizer, ConstView step,
                                        const NormGrads& grads, View dstep) {
  norm_grad(*this, *stream_, args, grads, {quantizer, step, dstep});
}

}  // namespace ntq::cuda
