#pragma once
// Four neighbouring floats, in one access of 16 bytes where the memory is aligned.
#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

struct alignas(16) Float4 {
  float v[4];
};
struct alignas(4) Byte4 {
  uint8_t v[4];
};

/// How packs are read and written: all of them whole and aligned to 16 bytes, or value by value. The same values go to
/// the same threads either way.
enum class Access { whole, single };

/// p[0] to p[count - 1], count at most 4, and zeros behind them.
template <Access kAccess>
NTQ_DEVICE Float4 get(const float* p, int count = 4) {
  if constexpr (kAccess == Access::whole) return *reinterpret_cast<const Float4*>(p);
  Float4 out{};
  for (int j = 0; j < 4; ++j) out.v[j] = j < count ? p[j] : 0.0f;
  return out;
}
template <Access kAccess>
NTQ_DEVICE void put(float* p, const Float4& values, int count = 4) {
  if constexpr (kAccess == Access::whole) {
    *reinterpret_cast<Float4*>(p) = values;
  } else {
    for (int j = 0; j < 4; ++j) {
      if (j < count) p[j] = values.v[j];
    }
  }
}
template <Access kAccess>
NTQ_DEVICE void put(uint8_t* p, const Byte4& values, int count = 4) {
  if constexpr (kAccess == Access::whole) {
    *reinterpret_cast<Byte4*>(p) = values;
  } else {
    for (int j = 0; j < 4; ++j) {
      if (j < count) p[j] = values.v[j];
    }
  }
}

/// The same where a pack may be the last of its run, which need not be whole.
template <Access kAccess>
NTQ_DEVICE Float4 get_part(const float* p, int count) {
  return kAccess == Access::whole && count == 4 ? get<kAccess>(p) : get<Access::single>(p, count);
}
template <Access kAccess, class T, class Pack>
NTQ_DEVICE void put_part(T* p, const Pack& values, int count) {
  if (kAccess == Access::whole && count == 4) {
    put<kAccess>(p, values);
  } else {
    put<Access::single>(p, values, count);
  }
}

/// Whether every one of them is none, or aligned to packs.
template <class... Pointers>
inline bool aligned(const Pointers*... p) {
  return ((reinterpret_cast<uintptr_t>(p) | ...) & 15) == 0;
}

}  // namespace ntq::cuda
