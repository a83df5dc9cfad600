#include "base/limits.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "base/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ntq {
namespace {

using Clock = std::chrono::steady_clock;
using Loop = double (*)();  // gives the operations that it did

constexpr int64_t kRounds = 50'000;
constexpr int kChains = 12;  // latency 4 x 2 units, and some to spare
constexpr int kAttempts = 200;
constexpr size_t kCopied = size_t{64} << 20;  // by all threads together

// The empty assembly keeps the compiler from computing the same product once.
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) double fma_avx2() {
  __m256 sums[kChains];
  for (auto& sum : sums) sum = _mm256_setzero_ps();
  __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  for (int64_t i = 0; i < kRounds; ++i) {
    asm volatile("" : "+x"(a), "+x"(b));
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, a, b);
  }
  for (auto& sum : sums) asm volatile("" ::"x"(sum));
  return 2.0 * 8 * kChains * kRounds;
}

__attribute__((target("avx512f"))) double fma_avx512() {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  for (int64_t i = 0; i < kRounds; ++i) {
    asm volatile("" : "+v"(a), "+v"(b));
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, a, b);
  }
  for (auto& sum : sums) asm volatile("" ::"v"(sum));
  return 2.0 * 16 * kChains * kRounds;
}

/// As assembly, which does not care how the compiler calls a vector of bfloat16.
__attribute__((target("avx512f"))) double bf16_dot_avx512() {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  const __m512i x = _mm512_set1_epi16(0x3f00), w = _mm512_set1_epi16(0x3e80);  // 0.5 and 0.25
  for (int64_t i = 0; i < kRounds; ++i) {
    for (auto& sum : sums) asm volatile("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  }
  return 2.0 * 32 * kChains * kRounds;
}

__attribute__((target("avx512f,avx512vnni"))) double byte_dot_vnni() {
  __m512i sums[kChains];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  __m512i x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2);
  for (int64_t i = 0; i < kRounds; ++i) {
    asm volatile("" : "+v"(x), "+v"(w));
    for (auto& sum : sums) sum = _mm512_dpbusd_epi32(sum, x, w);
  }
  for (auto& sum : sums) asm volatile("" ::"v"(sum));
  return 2.0 * 64 * kChains * kRounds;
}

__attribute__((target("avx512f,avx512bw"))) double byte_dot_avx512() {
  __m512i sums[kChains];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  __m512i x = _mm512_set1_epi8(3), w = _mm512_set1_epi8(-2);
  for (int64_t i = 0; i < kRounds; ++i) {
    for (auto& sum : sums) {
      asm volatile("" : "+v"(x), "+v"(w));
      sum = _mm512_add_epi16(sum, _mm512_maddubs_epi16(x, w));
    }
  }
  for (auto& sum : sums) asm volatile("" ::"v"(sum));
  return 2.0 * 64 * kChains * kRounds;
}

__attribute__((target("avx2"))) double byte_dot_avx2() {
  __m256i sums[kChains];
  for (auto& sum : sums) sum = _mm256_setzero_si256();
  __m256i x = _mm256_set1_epi8(3), w = _mm256_set1_epi8(-2);
  for (int64_t i = 0; i < kRounds; ++i) {
    for (auto& sum : sums) {
      asm volatile("" : "+x"(x), "+x"(w));
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(x, w));
    }
  }
  for (auto& sum : sums) asm volatile("" ::"x"(sum));
  return 2.0 * 32 * kChains * kRounds;
}

/// Past the caches: a plain store would read first what it overwrites.
void stream(char* to, const char* from, size_t bytes) {
  for (size_t i = 0; i < bytes; i += sizeof(__m128i))
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
  _mm_sfence();
}
#else
void stream(char* to, const char* from, size_t bytes) { std::memcpy(to, from, bytes); }
#endif

/// In vectors of four, as the compiler's baseline has them.
double fma_portable() {
  typedef float Four __attribute__((vector_size(16)));
  Four sums[kChains] = {};
  volatile float seed = 0.5f;
  const float a = seed, b = seed;
  for (int64_t i = 0; i < kRounds; ++i) {
    for (auto& sum : sums) sum = sum * a + b;
  }
  for (auto& sum : sums) seed = sum[0];
  return 2.0 * 4 * kChains * kRounds;
}

Loop loop_of(Limit limit, const std::string& isa) {
  if (limit == Limit::fma && isa == "portable") return fma_portable;
#if defined(__x86_64__)
  const bool avx512 = isa.rfind("avx512", 0) == 0;
  switch (limit) {
    case Limit::fma: return avx512 ? fma_avx512 : isa == "avx2" ? fma_avx2 : fma_portable;
    case Limit::bf16_dot: return isa == "avx512bf16" ? bf16_dot_avx512 : nullptr;
    case Limit::byte_dot:
      if (isa == "avx512vnni") return byte_dot_vnni;
      return avx512 ? byte_dot_avx512 : isa == "avx2" ? byte_dot_avx2 : nullptr;
    case Limit::copy: break;
  }
#endif
  return nullptr;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

template <class Work>
void on_threads(int threads, const Work& work) {
  std::vector<std::thread> workers;
  for (int t = 1; t < threads; ++t) workers.emplace_back([&work, t] { work(t); });
  work(0);
  for (auto& worker : workers) worker.join();
}

/// The sum of what each thread did at its best: registers are its own.
double in_registers(Loop loop, int threads) {
  std::vector<double> best(static_cast<size_t>(threads));
  on_threads(threads, [&](int t) {
    double& mine = best[static_cast<size_t>(t)];
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const auto start = Clock::now();
      const double done = loop();
      mine = std::max(mine, done / seconds_since(start) / 1e9);
    }
  });
  return std::accumulate(best.begin(), best.end(), 0.0);
}

/// By the clock of all threads, which share the memory; the better of plain and streaming stores.
double in_memory(int threads) {
  const size_t part = kCopied / static_cast<size_t>(threads) / 64 * 64;
  const size_t bytes = part * static_cast<size_t>(threads);
  const std::unique_ptr<char, decltype(&std::free)> memory(static_cast<char*>(std::aligned_alloc(64, 2 * bytes)),
                                                           std::free);
  if (!memory) return 0;
  char *const from = memory.get(), *const to = from + bytes;
  std::memset(from, 1, 2 * bytes);  // so that there are pages
  double best = 0;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const auto start = Clock::now();
    on_threads(threads, [&](int t) {
      const size_t at = static_cast<size_t>(t) * part;
      attempt % 2 == 0 ? stream(to + at, from + at, part) : static_cast<void>(std::memcpy(to + at, from + at, part));
    });
    best = std::max(best, 2.0 * static_cast<double>(bytes) / seconds_since(start) / 1e9);
  }
  return best;
}

}  // namespace

double machine_limit(Limit limit, const std::string& isa, int threads) {
  if (limit == Limit::copy) return in_memory(threads);
  const Loop loop = loop_of(limit, isa);
  return loop ? in_registers(loop, threads) : 0;
}

double machine_limit(Limit limit, int threads) { return machine_limit(limit, limit_isa(limit), threads); }

std::string limit_isa(Limit limit) {
  switch (limit) {
    case Limit::bf16_dot: return cpu::chosen_isa(cpu::IsaList::bf16);
    case Limit::byte_dot: return cpu::chosen_isa(cpu::IsaList::integers);
    case Limit::fma:
    case Limit::copy: break;
  }
  return cpu::chosen_isa();
}

}  // namespace ntq
