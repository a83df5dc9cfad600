#pragma once
// The loss with its gradient, and hits among the highest logits. Neighbouring threads share a row, whose classes they
// take in turn; in float64, as on the CPU.
#include <cmath>

#include "engine/backend/cuda/kernels/parts.h"

namespace ntq::cuda {

/// A block's rows, with 2^k threads each.
struct ClassRows {
  int64_t rows = 0, classes = 1;
  unsigned lanes = 1;
  unsigned together() const { return kPartThreads / lanes; }
  unsigned blocks() const { return static_cast<unsigned>(ceil_div(rows, int64_t{together()})); }
};
inline ClassRows class_rows(int64_t rows, int64_t classes) {
  ClassRows out{rows, classes};
  while (out.lanes < 32 && 4 * int64_t{out.lanes} < classes) out.lanes *= 2;
  return out;
}

/// What the threads of a row have, joined, for each of them. All threads of the block call it.
template <class T, class Combine>
NTQ_DEVICE T join_row(Thread& thread, unsigned lanes, const T& own, const Combine& combine) {
  T* const room = thread.shared<T>();
  const unsigned lane = thread.index() % lanes, row = thread.index() / lanes, rows = thread.threads() / lanes;
  const T joined = combine_lanes(thread, room, lane, lanes, row, rows, own, combine);
  if (lane == 0) room[row] = joined;
  thread.sync();
  const T out = room[row];
  thread.sync();
  return out;
}

struct CrossEntropyKernel {
  struct Args {
    ClassRows shape;
    const float* logits;
    const int32_t* labels;
    double smoothing;
    double* losses;  ///< {rows}
    float* dlogits;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kPartThreads * 2 * sizeof(double);
  struct Top {
    double top, sum;
  };
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const unsigned lanes = args.shape.lanes, lane = thread.index() % lanes;
    const int64_t row = (int64_t{thread.block()} * thread.threads() + thread.index()) / lanes;
    const bool there = row < args.shape.rows;
    const int64_t classes = there ? args.shape.classes : 0;
    const float* const z = args.logits + (there ? row : 0) * args.shape.classes;
    Top own{-1.0e300, 0};
    for (int64_t c = lane; c < classes; c += lanes) {
      const auto v = static_cast<double>(z[c]);
      own.top = v > own.top ? v : own.top;
      own.sum += v;
    }
    own = join_row(thread, lanes, own, [](const Top& a, const Top& b) {
      return Top{b.top > a.top ? b.top : a.top, a.sum + b.sum};
    });
    double total = 0;
    for (int64_t c = lane; c < classes; c += lanes) total += std::exp(static_cast<double>(z[c]) - own.top);
    total = join_row(thread, lanes, total, Plus());
    if (!there) return;
    const double log_total = std::log(total) + own.top, s = args.smoothing;
    const double rows = static_cast<double>(args.shape.rows), share = s / static_cast<double>(classes);
    const int64_t label = args.labels[row];
    for (int64_t c = lane; c < classes; c += lanes) {
      const double target = (c == label ? 1 - s : 0.0) + share;
      const double p = std::exp(static_cast<double>(z[c]) - log_total);
      args.dlogits[row * classes + c] = static_cast<float>((p - target) / rows);
    }
    if (lane == 0) args.losses[row] = log_total - (1 - s) * static_cast<double>(z[label]) - share * own.sum;
  }
};

/// hits {rows}: 1 where fewer than `top` logits stand before the label's.
struct CountCorrectKernel {
  struct Args {
    ClassRows shape;
    const float* logits;
    const int32_t* labels;
    int64_t top;
    int32_t* hits;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kPartThreads * sizeof(int32_t);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const unsigned lanes = args.shape.lanes, lane = thread.index() % lanes;
    const int64_t row = (int64_t{thread.block()} * thread.threads() + thread.index()) / lanes;
    const bool there = row < args.shape.rows;
    const int64_t classes = there ? args.shape.classes : 0;
    const float* const z = args.logits + (there ? row : 0) * args.shape.classes;
    const int64_t label = there ? args.labels[row] : 0;
    const float own = z[label];
    int32_t above = 0;
    for (int64_t c = lane; c < classes; c += lanes) {
      // Written so that what is not a number, on either side, counts against the label.
      const bool below = z[c] < own || (z[c] == own && c >= label);
      above += below ? 0 : 1;
    }
    above = join_row(thread, lanes, above, Plus());
    if (there && lane == 0) args.hits[row] = above < args.top && above < classes ? 1 : 0;
  }
};

struct SumHitsKernel {
  struct Args {
    const int32_t* hits;
    int64_t rows;
    int64_t* count;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kPartThreads * sizeof(int64_t);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    int64_t count = 0;
    for (int64_t r = thread.index(); r < args.rows; r += thread.threads()) count += args.hits[r];
    count = combine_block(thread, thread.shared<int64_t>(), count, Plus());
    if (thread.index() == 0) *args.count = count;
  }
};

}  // namespace ntq::cuda
