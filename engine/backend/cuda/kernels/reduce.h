#pragma once
// Sums, largest and smallest values over the middle axis of {outer,axis,inner}.
#include "engine/backend/cuda/kernels/block.h"
#include "engine/backend/cuda/kernels/math.h"

namespace ntq::cuda {

// A fold has the Value that it makes: first(), what there is before any; of(), what an element is; and two of them in
// one. Then: the fold of such values.

/// In float64.
struct SumFold {
  using Value = double;
  using Then = SumFold;
  NTQ_DEVICE static double first() { return 0; }
  template <class T>
  NTQ_DEVICE static double of(T x) {
    return static_cast<double>(x);
  }
  NTQ_DEVICE double operator()(double a, double b) const { return a + b; }
};
struct SumAbsFold : SumFold {
  NTQ_DEVICE static double of(float x) { return static_cast<double>(absolute(x)); }
};
/// What is not a number wins.
struct MaxFold {
  using Value = float;
  using Then = MaxFold;
  NTQ_DEVICE static float first() { return -infinite(); }
  NTQ_DEVICE static float of(float x) { return x; }
  NTQ_DEVICE float operator()(float a, float b) const { return a != a ? a : b != b || b > a ? b : a; }
};
struct MinFold {
  using Value = float;
  using Then = MinFold;
  NTQ_DEVICE static float first() { return infinite(); }
  NTQ_DEVICE static float of(float x) { return x; }
  NTQ_DEVICE float operator()(float a, float b) const { return a != a ? a : b != b || b < a ? b : a; }
};
/// 1 where all are finite, else 0.
struct FiniteFold : MinFold {
  NTQ_DEVICE static float first() { return 1.0f; }
  NTQ_DEVICE static float of(float x) { return x - x == 0.0f ? 1.0f : 0.0f; }
};

/// Columns are {outer,inner}; the values of each, along the axis, are cut into `parts`. A block takes `width` columns
/// of one part. y {parts,columns}.
template <class Fold, class In, class Out>
struct FoldKernel {
  using Value = typename Fold::Value;
  struct Args {
    const In* x;
    Out* y;
    int64_t axis, inner, columns, parts;
    unsigned width;
    Value factor;  ///< of what is written
  };
  static constexpr bool kSyncs = true;

  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const unsigned width = args.width, lanes = thread.threads() / width;
    // Neighbours in memory belong to neighbouring threads.
    const bool along = args.inner == 1;
    const unsigned lane = along ? thread.index() % lanes : thread.index() / width;
    const unsigned slot = along ? thread.index() / lanes : thread.index() % width;
    const int64_t part = thread.block() % args.parts;
    const int64_t column = thread.block() / args.parts * width + slot;
    const int64_t begin = args.axis * part / args.parts, end = args.axis * (part + 1) / args.parts;
    const Fold fold;
    Value value = Fold::first();
    if (column < args.columns) {
      const In* const from = args.x + column / args.inner * args.axis * args.inner + column % args.inner;
      for (int64_t a = begin + lane; a < end; a += lanes) value = fold(value, Fold::of(from[a * args.inner]));
    }
    value = combine_lanes(thread, thread.shared<Value>(), lane, lanes, slot, width, value, fold);
    if (lane == 0 && column < args.columns)
      args.y[part * args.columns + column] = static_cast<Out>(value * args.factor);
  }
};

}  // namespace ntq::cuda
