#pragma once
// y[i] = f(x[i], ...) over float32.
#include "engine/backend/cuda/kernels/parts.h"

namespace ntq::cuda {

/// F: a plain struct with NTQ_DEVICE float operator()(N floats) const. y may be one of the inputs.
template <Access kAccess, class F, int N>
struct MapKernel {
  struct Args {
    F f;
    float* y;
    int64_t n;
    const float* x[N > 0 ? N : 1];
  };
  static constexpr bool kSyncs = false;

  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_pack_of(thread, args.n, [&](int64_t, int64_t i, int count) {
      Float4 in[N > 0 ? N : 1], out;
      for (int k = 0; k < N; ++k) in[k] = get_part<kAccess>(args.x[k] + i, count);
      for (int j = 0; j < 4; ++j) out.v[j] = one(args.f, in, j);
      put_part<kAccess>(args.y + i, out, count);
    });
  }

 private:
  NTQ_DEVICE static float one(const F& f, const Float4* in, int j) {
    if constexpr (N == 0) return f();
    if constexpr (N == 1) return f(in[0].v[j]);
    if constexpr (N == 2) return f(in[0].v[j], in[1].v[j]);
    if constexpr (N == 3) return f(in[0].v[j], in[1].v[j], in[2].v[j]);
  }
};

}  // namespace ntq::cuda
