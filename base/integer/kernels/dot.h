#pragma once
// Ints: kInts int32 in one register; and the dot products of bytes that are exact on this instruction set:
//   acc[i] += sum over k < 4 of x[k] * w[4 i + k], x bytes without sign, w with.
// A way to compute them is a struct: x() of four bytes and w() of a vector of weights make what many products share,
// and dot() adds. All names have internal linkage.
#include <stdint.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace ntq::integer::NTQ_ISA {
namespace {

#if defined(__AVX512BW__)
constexpr int kInts = 16;
#elif defined(__AVX2__)
constexpr int kInts = 8;
#else
constexpr int kInts = 4;
#endif

typedef int32_t Ints __attribute__((vector_size(kInts * 4)));

[[maybe_unused]] inline Ints load(const void* p) {
  Ints v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
[[maybe_unused]] inline void store(void* p, Ints v) { __builtin_memcpy(p, &v, sizeof v); }
[[maybe_unused]] inline Ints splat(int32_t value) { return value - Ints{}; }
[[maybe_unused]] inline int32_t word_at(const uint8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return word;
}

/// A number as a type.
template <int N>
struct Count {
  constexpr operator int() const { return N; }
};
/// A type as a value.
template <class T>
struct Type {
  using Is = T;
};
/// op(Count<0>), op(Count<1>) .. op(Count<N - 1>): a loop that is unrolled, so that what it indexes may stay in
/// registers.
template <int N, int I = 0, class Op>
[[gnu::always_inline]] inline void unrolled(const Op& op) {
  if constexpr (I < N) {
    op(Count<I>{});
    unrolled<N, I + 1>(op);
  }
}

/// What most ways have in common.
struct OneQuad {
  using X = Ints;
  using W = Ints;
  static constexpr int kQuads = 1;                      ///< that dot() takes at once
  static constexpr bool kShort = false;                 ///< whether acc has 16 bits, to be widened in time
  static constexpr bool kFloats = false;                ///< whether acc has float32, as its bits
  static constexpr int kPixels = kInts == 16 ? 12 : 5;  ///< of a tile by two vectors that registers hold
  static X x(const uint8_t* p) { return splat(word_at(p)); }
  static W w(const int8_t* p) { return load(p); }
};

#ifdef __SSE2__
[[maybe_unused]] inline Ints multiply_pairs(Ints a, Ints b) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Ints>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Ints>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

/// Even bytes and odd ones, each widened to 16 bits: for any codes.
struct Widened : OneQuad {
  struct EvenOdd {
    Ints even, odd;
  };
  using X = EvenOdd;
  using W = EvenOdd;
  static constexpr int kPixels = kInts == 16 ? 12 : 4;
  static X x(const uint8_t* p) {
    const uint32_t four = static_cast<uint32_t>(word_at(p));
    return {splat(static_cast<int32_t>(four & 0x00ff00ff)), splat(static_cast<int32_t>(four >> 8 & 0x00ff00ff))};
  }
  static W w(const int8_t* p) {
    typedef int16_t Lanes __attribute__((vector_size(kInts * 4)));
    const Lanes both = reinterpret_cast<Lanes>(load(p));
    return {reinterpret_cast<Ints>(both << 8 >> 8), reinterpret_cast<Ints>(both >> 8)};
  }
  static Ints dot(Ints acc, const X& x, const W& w) {
    return acc + (multiply_pairs(x.even, w.even) + multiply_pairs(x.odd, w.odd));
  }
};
#else
struct Widened : OneQuad {
  static Ints dot(Ints acc, X x, W w) {
    for (int k = 0; k < 4; ++k) acc += (x >> 8 * k & 255) * (w << (24 - 8 * k) >> 24);
    return acc;
  }
};
#endif

#ifdef __AVX2__
// vpmaddubsw adds pairs of products in 16 bits and saturates there.
[[maybe_unused]] inline Ints multiply_bytes(Ints x, Ints w) {
#ifdef __AVX512BW__
  return reinterpret_cast<Ints>(_mm512_maddubs_epi16(reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(w)));
#else
  return reinterpret_cast<Ints>(_mm256_maddubs_epi16(reinterpret_cast<__m256i>(x), reinterpret_cast<__m256i>(w)));
#endif
}
[[maybe_unused]] inline Ints widen(Ints shorts) { return multiply_pairs(shorts, splat(0x00010001)); }

/// Where 2 * x * w always fits 16 bits.
struct Bytes : OneQuad {
  static Ints dot(Ints acc, X x, W w) { return acc + widen(multiply_bytes(x, w)); }
};

/// Where several of them do.
struct Shorts : OneQuad {
  static constexpr bool kShort = true;
  static Ints dot(Ints acc, X x, W w) {
    typedef int16_t Lanes __attribute__((vector_size(kInts * 4)));
    return reinterpret_cast<Ints>(reinterpret_cast<Lanes>(acc) + reinterpret_cast<Lanes>(multiply_bytes(x, w)));
  }
};
#endif

#ifdef __AVX512VNNI__
struct Vnni : OneQuad {
  static Ints dot(Ints acc, X x, W w) {
    return reinterpret_cast<Ints>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(acc), reinterpret_cast<__m512i>(x),
                                                      reinterpret_cast<__m512i>(w)));
  }
};
#endif

}  // namespace
}  // namespace ntq::integer::NTQ_ISA
