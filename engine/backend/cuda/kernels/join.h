#pragma once
// Joins what the threads of a block have found, in an order that the sizes decide: sixteen at a time, in shared memory.
#include "engine/backend/cuda/launch.h"

namespace ntq::cuda {

/// room {rows,columns}, which every thread has written a part of: row 0 becomes all rows joined by add(into, from).
/// All threads of the block call it.
template <class T, class Add>
NTQ_DEVICE void join_rows(Thread& thread, T* room, unsigned rows, unsigned columns, const Add& add) {
  while (rows > 1) {
    thread.sync();
    const unsigned left = (rows + 15) / 16;  // row r takes up r + left, r + 2 left, ...
    for (unsigned i = thread.index(); i < left * columns; i += thread.threads()) {
      T total = room[i];
      for (unsigned from = i + left * columns; from < rows * columns; from += left * columns) add(total, room[from]);
      room[i] = total;
    }
    rows = left;
  }
  thread.sync();
}

struct PlainSum {
  template <class T>
  NTQ_DEVICE void operator()(T& into, const T& from) const {
    into += from;
  }
};

/// The sum over the block's threads, for all of them; room: one T for each thread.
template <class T>
NTQ_DEVICE T block_sum(Thread& thread, T* room, T own) {
  room[thread.index()] = own;
  join_rows(thread, room, thread.threads(), 1, PlainSum());
  const T total = room[0];
  thread.sync();
  return total;
}

/// Mean, and sum of squared deviations from it, of `count` values.
struct Moments {
  double count = 0, mean = 0, m2 = 0;
};
/// Chan, Golub & LeVeque 1979, Eq. 2.1.
struct JoinMoments {
  NTQ_DEVICE void operator()(Moments& into, const Moments& from) const {
    const double count = into.count + from.count;
    if (!(count > 0)) return;
    const double delta = from.mean - into.mean;
    into.mean += delta * from.count / count;
    into.m2 += from.m2 + delta * delta * into.count * from.count / count;
    into.count = count;
  }
};

}  // namespace ntq::cuda
