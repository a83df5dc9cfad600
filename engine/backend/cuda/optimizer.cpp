#include "engine/backend/cuda/kernels/optimizer.h"

#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/with_access.h"

namespace ntq::cuda {

void CudaBackend::sgd_step(const SgdUpdate& update, View w, ConstView g, View m) {
  with_access(aligned(w, g, m), [&](auto access) {
    stream_->launch<SgdKernel<access>>(grid_for(ceil_div(w.size, 4)),
                                       {update, floats(w), floats(g), floats(m), w.size});
  });
}

void CudaBackend::sgd_steps(std::span<const SgdTensor> tensors) {
  SgdTensorsKernel::Args args{};
  const auto launch = [&] {
    if (args.count > 0) stream_->launch<SgdTensorsKernel>({args.first_block[args.count], kMostThreads, 0}, args);
    args.count = 0;
  };
  for (const SgdTensor& each : tensors) {
    if (each.w.size == 0) continue;
    if (!aligned(each.w, each.g, each.m)) {
      sgd_step(each.update, each.w, each.g, each.m);
      continue;
    }
    const unsigned nth = args.count++;
    args.of[nth] = {each.update, floats(each.w), floats(each.g), floats(each.m), each.w.size};
    args.first_block[nth + 1] = args.first_block[nth] + grid_for(ceil_div(each.w.size, 4)).blocks;
    if (args.count == SgdTensorsKernel::kMost) launch();
  }
  launch();
}

void CudaBackend::adam_step(const AdamUpdate& update, View w, ConstView g, View m, View v) {
  with_access(aligned(w, g, m, v), [&](auto access) {
    stream_->launch<AdamKernel<access>>(grid_for(ceil_div(w.size, 4)),
                                        {update, floats(w), floats(g), floats(m), floats(v), w.size});
  });
}

}  // namespace ntq::cuda
