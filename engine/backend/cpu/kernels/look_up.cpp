// Entries of small tables by bisection of their thresholds, and sums over the elements of each entry. The same bits on
// every ISA.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kBlock = 512;  // elements whose entries are kept for the sums
constexpr int kRows = 4;         // of sums, taken in turn, so that an addition need not wait for the one before
constexpr int kDeepest = 6;      // tables of 2^6 entries stay in registers; larger ones are read lane by lane

/// A table padded to 2^depth entries.
struct Padded {
  float thresholds[kMostEntries], values[kMostEntries];
  int depth = 1;

  explicit Padded(const Entries& t) {
    while (int64_t{1} << depth < t.count) ++depth;
    const int64_t size = depth < 4 ? 16 : int64_t{1} << depth;
    for (int64_t i = 0; i < size; ++i) {
      thresholds[i] = i + 1 < t.count ? t.thresholds[i] : __builtin_inff();
      values[i] = t.values[i < t.count ? i : 0];
    }
  }
};

inline Vec pick_lanes(const float* table, VecI i) {
  Vec out = {};
  for (int lane = 0; lane < kWidth; ++lane) out[lane] = table[i[lane]];
  return out;
}

/// table[i], lane by lane, of 2^kDepth entries and at least one vector.
template <int kDepth>
inline Vec pick(const float* table, VecI i) {
#if defined(__AVX512F__)
  const auto at = reinterpret_cast<__m512i>(i);
  if constexpr (kDepth <= 4) {
    return _mm512_maskz_permutexvar_ps(0xffff, at, load(table));
  } else if constexpr (kDepth == 5) {
    return _mm512_permutex2var_ps(load(table), at, load(table + 16));
  } else {
    return select(i >= 32, pick<5>(table + 32, i), pick<5>(table, i));
  }
#elif defined(__AVX2__)
  if constexpr (kDepth <= 3) {
    return _mm256_permutevar8x32_ps(load(table), reinterpret_cast<__m256i>(i));
  } else {
    constexpr int kHalf = 1 << (kDepth - 1);
    const VecI upper = i << (32 - kDepth);  // the sign
    return _mm256_blendv_ps(pick<kDepth - 1>(table, i), pick<kDepth - 1>(table + kHalf, i),
                            reinterpret_cast<Vec>(upper));
  }
#else
  return pick_lanes(table, i);
#endif
}

/// How many thresholds lie below x.
template <int kDepth>
inline VecI place_of(const Padded& t, Vec x) {
  VecI i = {};
  if constexpr (kDepth > 0) {
    for (int step = 1 << (kDepth - 1); step > 0; step /= 2)
      i += (x > pick<kDepth>(t.thresholds, i + (step - 1))) & step;
  } else {
    for (int step = 1 << (t.depth - 1); step > 0; step /= 2) i += (x > pick_lanes(t.thresholds, i + (step - 1))) & step;
  }
  return i;
}

/// Sums over the elements of each entry, of w and of w x.
class Sums {
 public:
  explicit Sums(int64_t count) : count_(count) {
    for (int64_t i = 0; i < kRows * count; ++i) rows_[i] = Pair{};
  }
  /// Elements [0, n) of at most a block; null w: ones.
  void add(const int32_t* places, const float* w, const float* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const double weight = w ? static_cast<double>(w[i]) : 1.0;
      rows_[i % kRows * count_ + places[i]] += Pair{weight, weight * static_cast<double>(x[i])};
    }
  }
  void write(double* sums) const {
    for (int64_t i = 0; i < count_; ++i) {
      Pair total = {};
      for (int row = 0; row < kRows; ++row) total += rows_[row * count_ + i];
      sums[i] = total[0], sums[count_ + i] = total[1];
    }
  }

 private:
  typedef double Pair __attribute__((vector_size(16)));
  int64_t count_;
  Pair rows_[kRows * kMostEntries];
};

/// to = x's entry, or dy times it. kDepth 0: deeper than all others.
template <int kDepth>
void walk(const Padded& t, const float* x, const float* dy, float* to, int64_t n, Sums* sums) {
  int32_t places[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    for (int64_t i = 0; i < size; i += kWidth) {
      const int64_t at = begin + i, lanes = size - i < kWidth ? size - i : kWidth;
      const Vec v = get(x + at, lanes);
      const VecI place = place_of<kDepth>(t, v);
      Vec value;
      if constexpr (kDepth > 0) {
        value = pick<kDepth>(t.values, place);
      } else {
        value = pick_lanes(t.values, place);
      }
      put(to + at, dy ? value * get(dy + at, lanes) : where_finite(v, value), lanes);
      __builtin_memcpy(places + i, &place, sizeof place);
    }
    if (sums) sums->add(places, dy ? dy + begin : nullptr, x + begin, size);
  }
}

void walk_any(const Entries& table, const float* x, const float* dy, float* to, int64_t n, Sums* sums) {
  const Padded t(table);
  if (t.depth <= 3) return walk<3>(t, x, dy, to, n, sums);
  if (t.depth == 4) return walk<4>(t, x, dy, to, n, sums);
  if (t.depth == 5) return walk<5>(t, x, dy, to, n, sums);
  if (t.depth == kDeepest) return walk<kDeepest>(t, x, dy, to, n, sums);
  walk<0>(t, x, dy, to, n, sums);
}

void walk_with_sums(const Entries& table, const float* x, const float* dy, float* to, int64_t n, double* out) {
  if (!out) return walk_any(table, x, dy, to, n, nullptr);
  Sums sums(table.count);
  walk_any(table, x, dy, to, n, &sums);
  sums.write(out);
}

void look_up(const Entries& table, const float* x, float* y, int64_t n, double* sums) {
  walk_with_sums(table, x, nullptr, y, n, sums);
}
void look_up_grad(const Entries& table, const float* x, const float* dy, float* dx, int64_t n, double* sums) {
  walk_with_sums(table, x, dy, dx, n, sums);
}

}  // namespace

void fill_look_up(Kernels& t) {
  t.look_up = look_up;
  t.look_up_grad = look_up_grad;
}

}  // namespace ntq::cpu::NTQ_ISA
