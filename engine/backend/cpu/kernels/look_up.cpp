// Entries of small tables by bisection of their thresholds, and sums over the elements of each entry. The same bits on
// every ISA.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/vec.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int64_t kBlock = 512;  // elements whose entries are kept for the sums
constexpr int kRows = 4;         // of sums, taken in turn, so that an addition need not wait for the one before
constexpr int kDeepest = 6;      // tables of 2^6 entries stay in registers; larger ones are read lane by lane

/// A table padded to 2^depth entries. Thresholds as a tree: that of node i decides between the nodes 2 i, for what is
/// not above it, and 2 i + 1; nodes 2^depth + i are the entries. So each level lies in as few registers as it fills.
struct Padded {
  float tree[kMostEntries], values[kMostEntries];
  int depth = 3;

  explicit Padded(const Entries& t) {
    while (int64_t{1} << depth < t.count) ++depth;
    const int64_t size = int64_t{1} << depth;
    for (int64_t i = 0; i < size; ++i) values[i] = t.values[i < t.count ? i : 0];
    tree[0] = 0;
    for (int level = 0; level < depth; ++level) {
      const int64_t first = int64_t{1} << level, below = size >> (level + 1);
      for (int64_t i = 0; i < first; ++i) {
        const int64_t threshold = (2 * i + 1) * below - 1;
        tree[first + i] = threshold < t.count - 1 ? t.thresholds[threshold] : __builtin_inff();
      }
    }
    for (int64_t i = size; i < 16; ++i) tree[i] = values[i] = 0;
  }
};

inline Vec pick_lanes(const float* table, VecI i) {
  Vec out = {};
  for (int lane = 0; lane < kWidth; ++lane) out[lane] = table[i[lane]];
  return out;
}

/// table[i], lane by lane, of 2^kBits entries, all of them behind at least a vector of memory; higher bits of i are
/// left out where there are as many entries as a vector has, or more.
template <int kBits>
inline Vec pick(const float* table, VecI i) {
#if defined(__AVX512F__)
  const auto at = reinterpret_cast<__m512i>(i);
  if constexpr (kBits <= 4) {
    return _mm512_maskz_permutexvar_ps(0xffff, at, load(table));
  } else if constexpr (kBits == 5) {
    return _mm512_permutex2var_ps(load(table), at, load(table + 16));
  } else {
    const __mmask16 upper = _mm512_test_epi32_mask(at, reinterpret_cast<__m512i>(VecI{} + 32));
    return _mm512_mask_blend_ps(upper, pick<5>(table, i), pick<5>(table + 32, i));
  }
#elif defined(__AVX2__)
  if constexpr (kBits <= 3) {
    return _mm256_permutevar8x32_ps(load(table), reinterpret_cast<__m256i>(i));
  } else {
    constexpr int kHalf = 1 << (kBits - 1);
    const VecI upper = i << (32 - kBits);  // the sign
    return _mm256_blendv_ps(pick<kBits - 1>(table, i), pick<kBits - 1>(table + kHalf, i), reinterpret_cast<Vec>(upper));
  }
#else
  return pick_lanes(table, i & ((1 << kBits) - 1));
#endif
}

/// 2 i, and one more where x is above the threshold.
inline VecI descend(Vec x, Vec threshold, VecI i) {
#if defined(__AVX512F__)
  const auto twice = reinterpret_cast<__m512i>(i + i);
  return reinterpret_cast<VecI>(_mm512_mask_add_epi32(twice, _mm512_cmp_ps_mask(x, threshold, _CMP_GT_OQ), twice,
                                                      reinterpret_cast<__m512i>(VecI{} + 1)));
#else
  return i + i - (x > threshold);
#endif
}

/// From the nodes of one level to the entries.
template <int kDepth, int kLevel>
inline VecI descend_from(const float* tree, Vec x, VecI i) {
  if constexpr (kLevel == kDepth) {
    return i - (1 << kDepth);
  } else {
    constexpr int kOneVector = kWidth == 16 ? 4 : 3;  // these levels lie in one
    const Vec t = kLevel < kOneVector ? pick<kOneVector>(tree, i) : pick<kLevel>(tree + (1 << kLevel), i);
    return descend_from<kDepth, kLevel + 1>(tree, x, descend(x, t, i));
  }
}

/// How many thresholds lie below x. kDepth 0: deeper than all others.
template <int kDepth>
inline VecI place_of(const Padded& t, Vec x) {
  VecI i = VecI{} + 1;
  if constexpr (kDepth > 0) {
    return descend_from<kDepth, 0>(t.tree, x, i);
  } else {
    VecI entries = VecI{} + 1;
    for (int level = 0; level < t.depth; ++level) i = descend(x, pick_lanes(t.tree, i), i), entries += entries;
    return i - entries;
  }
}

/// Sums over the elements of each entry, of w and of w x.
class Sums {
 public:
  explicit Sums(int64_t count) : count_(count) {
    for (int64_t i = 0; i < kRows * count; ++i) rows_[i] = Pair{};
  }
  /// Elements [0, n) of at most a block; null w: ones.
  void add(const int32_t* places, const float* w, const float* x, int64_t n) {
    if (w) {
      add_by(places, x, n, [=](int64_t i) { return static_cast<double>(w[i]); });
    } else {
      add_by(places, x, n, [](int64_t) { return 1.0; });
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
  template <class Weight>
  void add_by(const int32_t* places, const float* x, int64_t n, Weight weight) {
    const auto one = [&](Pair* row, int64_t i) {
      const double w = weight(i);
      row[places[i]] += Pair{w, w * static_cast<double>(x[i])};
    };
    Pair *const a = rows_, *const b = a + count_, *const c = b + count_, *const d = c + count_;
    int64_t i = 0;
    for (; i + kRows <= n; i += kRows) one(a, i), one(b, i + 1), one(c, i + 2), one(d, i + 3);
    for (; i < n; ++i) one(rows_ + i % kRows * count_, i);
  }

  int64_t count_;
  Pair rows_[kRows * kMostEntries];
};

/// to = x's entry, or dy times it.
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
