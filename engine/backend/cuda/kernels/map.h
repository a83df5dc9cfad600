#pragma once
// y[i] = f(x[i], ...) over float32, four at a time where memory allows it.
#include "engine/backend/cuda/kernels/pack.h"

namespace ntq::cuda {

/// F: a plain struct with NTQ_DEVICE float operator()(N floats) const. y may be one of the inputs.
template <class F, int N>
struct MapKernel {
  struct Args {
    F f;
    float* y;
    int64_t n;
    bool packed;  ///< all memory is aligned to 16 bytes
    const float* x[N > 0 ? N : 1];
  };
  static constexpr bool kSyncs = false;

  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const int64_t packs = args.packed ? args.n / 4 : 0;
    each_index(thread, packs, [&](int64_t i) {
      Float4 in[N > 0 ? N : 1], out;
      for (int k = 0; k < N; ++k) in[k] = reinterpret_cast<const Float4*>(args.x[k])[i];
      for (int l = 0; l < 4; ++l) out.v[l] = one(args.f, in, l);
      reinterpret_cast<Float4*>(args.y)[i] = out;
    });
    each_index(thread, args.n - 4 * packs, [&](int64_t rest) {
      const int64_t i = 4 * packs + rest;
      Float4 in[N > 0 ? N : 1];
      for (int k = 0; k < N; ++k) in[k].v[0] = args.x[k][i];
      args.y[i] = one(args.f, in, 0);
    });
  }

 private:
  NTQ_DEVICE static float one(const F& f, const Float4* in, int l) {
    if constexpr (N == 0) return f();
    if constexpr (N == 1) return f(in[0].v[l]);
    if constexpr (N == 2) return f(in[0].v[l], in[1].v[l]);
    if constexpr (N == 3) return f(in[0].v[l], in[1].v[l], in[2].v[l]);
  }
};

}  // namespace ntq::cuda
