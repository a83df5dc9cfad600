#include "base/integer/dot_limit.h"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ntq::integer {
namespace {

constexpr int64_t kDotRounds = 100'000;
constexpr int kDotChains = 12;

// Each loop returns the operations that it did, a multiplication and an addition counting two. The empty assembly keeps
// the compiler from computing the same product once.
#if defined(__x86_64__)
__attribute__((target("avx512f,avx512vnni"))) double dot_loop_vnni() {
  __m512i sums[kDotChains];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  __m512i x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2);
  for (int64_t i = 0; i < kDotRounds; ++i) {
    asm volatile("" : "+v"(x), "+v"(w));
    for (auto& sum : sums) sum = _mm512_dpbusd_epi32(sum, x, w);
  }
  for (auto& sum : sums) asm volatile("" ::"v"(sum));
  return 2.0 * 64 * kDotChains * kDotRounds;
}

__attribute__((target("avx512f,avx512bw"))) double dot_loop_avx512() {
  __m512i sums[kDotChains];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  __m512i x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2);
  for (int64_t i = 0; i < kDotRounds; ++i) {
    for (auto& sum : sums) {
      asm volatile("" : "+v"(x), "+v"(w));
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(x, w));
    }
  }
  for (auto& sum : sums) asm volatile("" ::"v"(sum));
  return 2.0 * 64 * kDotChains * kDotRounds;
}

__attribute__((target("avx2"))) double dot_loop_avx2() {
  __m256i sums[kDotChains];
  for (auto& sum : sums) sum = _mm256_setzero_si256();
  __m256i x = _mm256_set1_epi8(3), w = _mm256_set1_epi8(-2);
  for (int64_t i = 0; i < kDotRounds; ++i) {
    for (auto& sum : sums) {
      asm volatile("" : "+x"(x), "+x"(w));
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(x, w));
    }
  }
  for (auto& sum : sums) asm volatile("" ::"x"(sum));
  return 2.0 * 32 * kDotChains * kDotRounds;
}
#endif

}  // namespace

double dot_limit_gops(const std::string& isa) {
  double (*loop)() = nullptr;
#if defined(__x86_64__)
  if (isa == "avx2") loop = dot_loop_avx2;
  if (isa == "avx512") loop = dot_loop_avx512;
  if (isa == "avx512vnni") loop = dot_loop_vnni;
#endif
  double best = 0;
  for (int attempt = 0; loop != nullptr && attempt < 200; ++attempt) {
    const auto start = std::chrono::steady_clock::now();
    const double done = loop();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, done / seconds.count() / 1e9);
  }
  return best;
}

}  // namespace ntq::integer
