#pragma once
// Updates of parameters in one pass: the bits of engine/backend/cpu/kernels/elementwise.cpp.
#include <cmath>

#include "engine/backend/args.h"
#include "engine/backend/cuda/kernels/math.h"
#include "engine/backend/cuda/kernels/parts.h"

namespace ntq::cuda {

/// max(v, floor), but what is not finite stays.
NTQ_DEVICE float not_below(float floor, float v) { return v < floor && v >= -0x1.fffffep127f ? floor : v; }

/// What is above 0 stays between that times `factor` and that share of it, unless it becomes infinite or no number.
struct Near {
  float value;
  bool held;
};
NTQ_DEVICE Near near_to(float before, float factor, float moved) {
  constexpr float kLargest = 0x1.fffffep127f;
  if (!(factor <= kLargest)) return {moved, false};
  const float low = before / factor, high = before * factor;
  const bool held = before > 0.0f && std::fabs(moved) <= kLargest && (moved < low || moved > high);
  return {!held ? moved : moved < low ? low : high, held};
}

/// One tensor's.
struct SgdMemory {
  SgdUpdate update;
  float* w;
  const float* g;
  float* m;
  int64_t n;
};
/// Of `count` values from i on.
template <Access kAccess>
NTQ_DEVICE void update_by_sgd(const SgdMemory& of, int64_t i, int count) {
  const SgdUpdate& u = of.update;
  Float4 w = get_part<kAccess>(of.w + i, count), m = get_part<kAccess>(of.m + i, count);
  const Float4 g = get_part<kAccess>(of.g + i, count);
  for (int j = 0; j < 4; ++j) {
    const float grad = g.v[j] + u.weight_decay * w.v[j];
    m.v[j] = u.momentum * m.v[j] + grad;
    const float move = u.nesterov ? grad + u.momentum * m.v[j] : m.v[j];
    const Near moved = near_to(w.v[j], u.most_change, w.v[j] - u.lr * move);
    if (moved.held) m.v[j] = (w.v[j] - moved.value) / u.lr;
    w.v[j] = not_below(u.floor, moved.value);
  }
  put_part<kAccess>(of.m + i, m, count);
  put_part<kAccess>(of.w + i, w, count);
}

template <Access kAccess>
struct SgdKernel {
  using Args = SgdMemory;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_pack_of(thread, args.n, [&](int64_t, int64_t i, int count) { update_by_sgd<kAccess>(args, i, count); });
  }
};

/// Of many tensors, all of them aligned: most of a network's are so small that a launch for each takes longer than the
/// update.
struct SgdTensorsKernel {
  static constexpr unsigned kMost = 60;
  struct Args {
    unsigned count;
    unsigned first_block[kMost + 1];  ///< of each tensor, and behind the last
    SgdMemory of[kMost];
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    unsigned nth = 0;
    while (args.first_block[nth + 1] <= thread.block()) ++nth;
    const SgdMemory& of = args.of[nth];
    const unsigned first = args.first_block[nth], blocks = args.first_block[nth + 1] - first;
    const int64_t stride = 4 * int64_t{blocks} * thread.threads();
    for (int64_t i = 4 * (int64_t{thread.block() - first} * thread.threads() + thread.index()); i < of.n; i += stride)
      update_by_sgd<Access::whole>(of, i, of.n - i < 4 ? static_cast<int>(of.n - i) : 4);
  }
};

template <Access kAccess>
struct AdamKernel {
  struct Args {
    AdamUpdate update;
    float* w;
    const float* g;
    float *m, *v;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const AdamUpdate& u = args.update;
    const float rest1 = 1.0f - u.beta1, rest2 = 1.0f - u.beta2;
    const float decay = u.decoupled ? 0.0f : u.weight_decay, shrink = u.decoupled ? u.decay_lr * u.weight_decay : 0.0f;
    each_pack_of(thread, args.n, [&](int64_t, int64_t i, int count) {
      Float4 w = get_part<kAccess>(args.w + i, count), m = get_part<kAccess>(args.m + i, count),
             v = get_part<kAccess>(args.v + i, count);
      const Float4 g = get_part<kAccess>(args.g + i, count);
      for (int j = 0; j < 4; ++j) {
        const float grad = g.v[j] + decay * w.v[j];
        m.v[j] = u.beta1 * m.v[j] + rest1 * grad;
        v.v[j] = u.beta2 * v.v[j] + rest2 * grad * grad;
        const float root = std::sqrt(v.v[j] * u.square_scale);
        const float moved = w.v[j] - u.lr * m.v[j] / (root + u.epsilon) - shrink * w.v[j];
        w.v[j] = not_below(u.floor, near_to(w.v[j], u.most_change, moved).value);
      }
      put_part<kAccess>(args.m + i, m, count);
      put_part<kAccess>(args.v + i, v, count);
      put_part<kAccess>(args.w + i, w, count);
    });
  }
};

}  // namespace ntq::cuda
