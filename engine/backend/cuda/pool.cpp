#include "engine/backend/cuda/kernels/pool.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/kernels/crop.h"
#include "engine/backend/cuda/with_access.h"

namespace ntq::cuda {
namespace {

RowTiles outputs_of(const PoolGeometry& g) { return row_tiles(g.batch * g.out_h * g.out_w, g.channels); }
RowTiles inputs_of(const PoolGeometry& g) { return row_tiles(g.batch * g.in_h * g.in_w, g.channels); }

}  // namespace

void CudaBackend::max_pool(const PoolGeometry& g, ConstView x, View y, View index) {
  const RowTiles tiles = outputs_of(g);
  auto* const at = static_cast<int32_t*>(index.data);
  with_access(g.channels % 4 == 0 && aligned(x, y, index), [&](auto access) {
    stream_->launch<MaxPoolKernel<access>>(grid_of(tiles), {g, tiles, floats(x), floats(y), at});
  });
}

void CudaBackend::max_pool_grad(const PoolGeometry& g, ConstView dy, ConstView index, View dx) {
  const RowTiles tiles = inputs_of(g);
  const auto* const at = static_cast<const int32_t*>(index.data);
  with_access(g.channels % 4 == 0 && aligned(dy, index, dx), [&](auto access) {
    stream_->launch<MaxPoolGradKernel<access>>(grid_of(tiles), {g, tiles, floats(dy), at, floats(dx)});
  });
}

void CudaBackend::avg_pool(const PoolGeometry& g, ConstView x, View y) {
  const RowTiles tiles = outputs_of(g);
  with_access(g.channels % 4 == 0 && aligned(x, y), [&](auto access) {
    stream_->launch<AvgPoolKernel<access>>(grid_of(tiles), {g, tiles, floats(x), floats(y)});
  });
}

void CudaBackend::avg_pool_grad(const PoolGeometry& g, ConstView dy, View dx) {
  const RowTiles tiles = inputs_of(g);
  with_access(g.channels % 4 == 0 && aligned(dy, dx), [&](auto access) {
    stream_->launch<AvgPoolGradKernel<access>>(grid_of(tiles), {g, tiles, floats(dy), floats(dx)});
  });
}

void CudaBackend::subsample(const SubsampleGeometry& g, ConstView x, View y) {
  const RowTiles tiles = row_tiles(g.batch * g.out_h() * g.out_w(), g.out_c());
  with_access(g.in_c % 4 == 0 && g.extra % 4 == 0 && aligned(x, y), [&](auto access) {
    stream_->launch<SubsampleKernel<access>>(grid_of(tiles), {g, g.out_h(), g.out_w(), tiles, floats(x), floats(y)});
  });
}

void CudaBackend::subsample_grad(const SubsampleGeometry& g, ConstView dy, View dx) {
  const RowTiles tiles = row_tiles(g.batch * g.in_h * g.in_w, g.in_c);
  with_access(g.in_c % 4 == 0 && g.extra % 4 == 0 && aligned(dy, dx), [&](auto access) {
    stream_->launch<SubsampleGradKernel<access>>(grid_of(tiles),
                                                 {g, g.out_h(), g.out_w(), g.out_c(), tiles, floats(dy), floats(dx)});
  });
}

void CudaBackend::crop_images(const ImageSizes& g, ConstView pixels, ConstView crops, ConstView values, View y) {
  stream_->launch<CropKernel>(grid_for(g.batch * g.height * g.width),
                              {g, static_cast<const uint8_t*>(pixels.data), static_cast<const int32_t*>(crops.data),
                               floats(values), floats(y)});
}

}  // namespace ntq::cuda
