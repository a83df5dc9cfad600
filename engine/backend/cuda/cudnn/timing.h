#pragma once
// How long plans take on a device.
#include "engine/backend/cuda/cudnn/plans.h"
#include "engine/backend/cuda/memory.h"

namespace ntq::cudnn {

/// Times on a handle's stream, in memory that it takes from the driver and gives back: the median of five calls, of
/// plans that give whole numbers for whole numbers. `memory` gives back to the driver what it keeps where that is
/// needed.
Timer device_timer(cuda::Stream& stream, cuda::Memory& memory, cudnnHandle_t handle);
/// Queues a plan. `workspace`: of as many bytes as the plan wants; pointers are aligned to kAlignment.
cudnnStatus_t execute(cudnnHandle_t handle, const Plan& plan, void* images, void* filters, void* outputs,
                      void* workspace);

}  // namespace ntq::cudnn
