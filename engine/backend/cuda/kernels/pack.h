#pragma once
// Four neighbouring values, in one access where the memory is aligned.
#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

template <class T>
struct alignas(sizeof(T) <= 4 ? 4 * sizeof(T) : alignof(T)) Pack {
  T v[4];
};
using Float4 = Pack<float>;
using Byte4 = Pack<uint8_t>;

/// How packs are read and written: all of them whole and aligned to 16 bytes, or value by value. The same values go to
/// the same threads either way.
enum class Access { whole, single };

/// p[0] to p[count - 1], count at most 4, and zeros behind them.
template <Access kAccess, class T>
NTQ_DEVICE Pack<T> get(const T* p, int count = 4) {
  if constexpr (kAccess == Access::whole) return *reinterpret_cast<const Pack<T>*>(p);
  Pack<T> out{};
  for (int j = 0; j < 4; ++j) {
    if (j < count) out.v[j] = p[j];
  }
  return out;
}
template <Access kAccess, class T>
NTQ_DEVICE void put(T* p, const Pack<T>& values, int count = 4) {
  if constexpr (kAccess == Access::whole && sizeof values == 16) {
    store_whole(p, &values);
  } else if constexpr (kAccess == Access::whole) {
    *reinterpret_cast<Pack<T>*>(p) = values;
  } else {
    for (int j = 0; j < 4; ++j) {
      if (j < count) p[j] = values.v[j];
    }
  }
}

/// The same where a pack may be the last of its run, which need not be whole.
template <Access kAccess, class T>
NTQ_DEVICE Pack<T> get_part(const T* p, int count) {
  return kAccess == Access::whole && count == 4 ? get<kAccess>(p) : get<Access::single>(p, count);
}
template <Access kAccess, class T>
NTQ_DEVICE void put_part(T* p, const Pack<T>& values, int count) {
  if (kAccess == Access::whole && count == 4) {
    put<kAccess>(p, values);
  } else {
    put<Access::single>(p, values, count);
  }
}

}  // namespace ntq::cuda
