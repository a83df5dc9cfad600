#pragma once
// What the threads of a block make together, in an order that sizes alone decide.
#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

/// The threads of a block as `lanes` of `width` columns, both powers of two: combines the values that the lanes of each
/// column have; lane 0 gets the result. shared: as many values as there are threads, and nobody else's until the next
/// sync(). All threads call it.
template <class T, class Combine>
NTQ_DEVICE T combine_lanes(Thread& thread, T* shared, unsigned lane, unsigned lanes, unsigned column, unsigned width,
                           T value, const Combine& combine) {
  constexpr unsigned kAtOnce = 4;
  for (unsigned left = lanes; left > 1;) {  // the first lanes, which have values; neighbouring threads read neighbours
    if (lane < left) shared[lane * width + column] = value;
    thread.sync();
    const unsigned next = left > kAtOnce ? left / kAtOnce : 1;
    if (lane < next) {
      for (unsigned other = lane + next; other < left; other += next)
        value = combine(value, shared[other * width + column]);
    }
    left = next;
  }
  thread.sync();
  return value;
}

/// The same of all threads of a block, whose number is a power of two: thread 0 gets the result.
template <class T, class Combine>
NTQ_DEVICE T combine_block(Thread& thread, T* shared, T value, const Combine& combine) {
  return combine_lanes(thread, shared, thread.index(), thread.threads(), 0, 1, value, combine);
}

struct Plus {
  template <class T>
  NTQ_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

}  // namespace ntq::cuda
