#pragma once
// What this machine can do at most: a loop of independent fused multiply-adds in registers, on as many threads and in
// the same instruction set as the kernels that are held against it.
#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ntq::bench {

constexpr int64_t kRounds = 20'000'000;
constexpr int kChains = 12;  // latency 4 x 2 units, and some to spare

// Each loop returns the floating point operations that it did; `sink` keeps the compiler from dropping them.
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) inline double fma_loop_avx2(float* sink) {
  __m256 sums[kChains];
  for (auto& sum : sums) sum = _mm256_setzero_ps();
  const __m256 a = _mm256_set1_ps(sink[0]), b = _mm256_set1_ps(sink[1]);
  for (int64_t i = 0; i < kRounds; ++i) {
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, a, b);
  }
  for (auto& sum : sums) sink[2] += _mm256_cvtss_f32(sum);
  return 2.0 * 8 * kChains * kRounds;
}

__attribute__((target("avx512f"))) inline double fma_loop_avx512(float* sink) {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  const __m512 a = _mm512_set1_ps(sink[0]), b = _mm512_set1_ps(sink[1]);
  for (int64_t i = 0; i < kRounds; ++i) {
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, a, b);
  }
  for (auto& sum : sums) sink[2] += _mm512_cvtss_f32(sum);
  return 2.0 * 16 * kChains * kRounds;
}
#endif

/// A multiply and an add in vectors of four, as the compiler's baseline has them.
inline double fma_loop_portable(float* sink) {
  typedef float Four __attribute__((vector_size(16)));
  Four sums[kChains] = {};
  const float a = sink[0], b = sink[1];
  for (int64_t i = 0; i < kRounds; ++i) {
    for (auto& sum : sums) sum = sum * a + b;
  }
  for (auto& sum : sums) sink[2] += sum[0];
  return 2.0 * 4 * kChains * kRounds;
}

/// Billions of float32 operations per second on `threads` threads; `isa` as cpu_isa() names it. The best of five, as
/// the machine may be shared.
inline double fma_limit_gflops(const std::string& isa, int threads) {
  double (*loop)(float*) = fma_loop_portable;
#if defined(__x86_64__)
  if (isa == "avx2") loop = fma_loop_avx2;
  if (isa == "avx512") loop = fma_loop_avx512;
#endif
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    std::vector<double> done(static_cast<size_t>(threads));
    for (auto& flops : done) {
      workers.emplace_back([&flops, loop] {
        volatile float seed = 0.5f;
        std::array<float, 3> sink = {seed, seed, 0.0f};
        flops = loop(sink.data());
        seed = sink[2];
      });
    }
    for (auto& worker : workers) worker.join();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    double total = 0;
    for (const double flops : done) total += flops;
    best = std::max(best, total / seconds.count() / 1e9);
  }
  return best;
}

}  // namespace ntq::bench
