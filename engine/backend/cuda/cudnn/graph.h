#pragma once
// The operation graph of one convolution: a single node between three tensors, NHWC images and KRSC filters.
#include "engine/backend/cuda/cudnn/descriptor.h"
#include "engine/backend/cuda/cudnn/problem.h"

namespace ntq::cudnn {

/// Names of the tensors within a graph: x or dx, w or dw, y or dy.
constexpr int64_t kImages = 1, kFilters = 2, kOutputs = 3;

/// alpha is 1 and beta 0: results overwrite. `handle`: of the GPU that it will run on; none for a described one.
Descriptor convolution_graph(const Problem& problem, cudnnHandle_t handle);

}  // namespace ntq::cudnn
