#pragma once
// Work on each element by itself.
#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

struct FillKernel {
  struct Args {
    float value;
    float* y;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.n, [&](int64_t i) { args.y[i] = args.value; });
  }
};

}  // namespace ntq::cuda
