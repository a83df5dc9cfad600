#pragma once
// Which of cuDNN's engines may compute a convolution.
#include <cudnn_graph.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "engine/backend/cuda/cudnn/problem.h"

namespace ntq::cudnn {

/// An engine that gives wrong results, in the versions [from, below) of cuDNN (91900 is 9.19.0).
struct Denied {
  Direction direction;
  int64_t engine;
  size_t from = 0, below = std::numeric_limits<size_t>::max();
};

struct Rules {
  /// The first plan of at most so many bytes of workspace is taken; where there is none, the one that needs least. What
  /// engines want grows with the batch, so that large ones are wanted where the tensors themselves take ten times as
  /// much; with less, float32 is left with engines that are many times slower.
  int64_t workspace = int64_t{1280} << 20;
  std::vector<Denied> denied = {};
  /// The engines that may compute grad_weight in float32; empty: any. Notes do not tell all: the profile of an H100 had
  /// Winograd's kernels where no engine with a note of them was allowed, and codes were not exact. These sum products,
  /// by their classes in cuDNN 9.19 and their workspace: grouped direct kernels, "algorithm 1", implicit matrix
  /// products.
  std::vector<int64_t> float32_grad_weight = {0, 1, 67};
  /// A file that keeps plans chosen by time (plan_file.h); empty: heuristics choose.
  std::string plans = {};
};

/// As the environment says: NTQ_CUDNN_DENY, engines that are not to be used, "forward:62,grad_weight:20", and
/// NTQ_CUDNN_WORKSPACE, in MiB, and NTQ_CUDNN_PLANS. Throws Error for what cannot be read.
Rules rules_of_environment();

/// Why an engine must not be used, by what cuDNN notes of its arithmetic and its behaviour; null: it may. The same call
/// gives the same bits each time, sums are float32 sums of the products, and nothing is compiled while training.
const char* why_not(Arithmetic arithmetic, std::span<const cudnnBackendNumericalNote_t> notes,
                    std::span<const cudnnBackendBehaviorNote_t> behaviour);
bool is_denied(const Rules& rules, Direction direction, int64_t engine, size_t cudnn_version);
/// Whether what an engine computes is known where its notes do not suffice: grad_weight in float32.
bool is_known(const Rules& rules, const Problem& problem, int64_t engine);

}  // namespace ntq::cudnn
