#pragma once
// Sums, largest and smallest values; what is not a number wins. Sums in float64.
#include "engine/backend/cuda/kernels/math.h"
#include "engine/backend/cuda/kernels/parts.h"

namespace ntq::cuda {

/// Sums {parts} of x or of |x|.
template <Access kAccess>
struct SumKernel {
  struct Args {
    RunParts parts;
    const float* x;
    bool of_sizes;
    double* partial;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kPartThreads * sizeof(double);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const PartPlace at = place_of(thread, args.parts);
    double sum = 0;
    each_pack(thread, at, [&](int64_t i, int count) {
      const Float4 x = get_part<kAccess>(args.x + i, count);
      for (int j = 0; j < 4; ++j) sum += static_cast<double>(args.of_sizes ? absolute(x.v[j]) : x.v[j]);
    });
    const double total = block_sum(thread, thread.shared<double>(), sum);
    if (thread.index() == 0) args.partial[at.part] = total;
  }
};

/// y, which is 1, becomes 0 where an element is not finite.
struct AllFiniteKernel {
  struct Args {
    const float* x;
    float* y;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.n, [&](int64_t i) {
      if (!is_finite(args.x[i])) *args.y = 0;
    });
  }
};

struct SumFold {
  using Value = double;
  NTQ_DEVICE Value none() const { return 0; }
  template <class T>
  NTQ_DEVICE void operator()(Value& into, const T& from) const {
    into += static_cast<Value>(from);
  }
};
struct ExtremeFold {
  using Value = float;
  bool largest;
  NTQ_DEVICE Value none() const { return float_of(largest ? 0xff800000u : 0x7f800000u); }
  NTQ_DEVICE void operator()(Value& into, float from) const {
    const bool wins = from != from || (largest ? from > into : from < into);
    if (into == into && wins) into = from;
  }
};

/// y {outer,inner} of x {outer,axis,inner}: a thread for each.
template <class Op>
struct FoldByThreadKernel {
  struct Args {
    Op op;
    const float* x;
    int64_t outer, axis, inner;
    float* y;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.outer * args.inner, [&](int64_t i) {
      const float* x = args.x + i / args.inner * args.axis * args.inner + i % args.inner;
      typename Op::Value total = args.op.none();
      for (int64_t a = 0; a < args.axis; ++a, x += args.inner) args.op(total, *x);
      args.y[i] = static_cast<float>(total);
    });
  }
};

/// How blocks share {outer,axis,inner}: tiles of `lanes`, a power of two, neighbouring inner places, and chunks of the
/// axis.
struct FoldTiles {
  int64_t outer = 1, axis = 1, inner = 1;
  int64_t chunk = 1;
  unsigned lanes = 1, tiles = 1, chunks = 1;
  unsigned blocks() const { return static_cast<unsigned>(outer) * tiles * chunks; }
};
inline FoldTiles fold_tiles(int64_t outer, int64_t axis, int64_t inner) {
  FoldTiles t{.outer = outer, .axis = axis, .inner = inner};
  while (t.lanes < 32 && t.lanes < inner) t.lanes *= 2;
  t.tiles = static_cast<unsigned>(ceil_div(inner, int64_t{t.lanes}));
  const int64_t together = 16 * int64_t{kPartThreads / t.lanes}, wanted = ceil_div(axis, together);
  const int64_t most = kMostParts / (outer * t.tiles), chunks = wanted < most ? wanted : most > 0 ? most : 1;
  t.chunk = ceil_div(axis, chunks);
  t.chunks = static_cast<unsigned>(ceil_div(axis, t.chunk));
  return t;
}

/// Partial results {chunks,outer,inner}.
template <class Op>
struct FoldByBlockKernel {
  using Value = typename Op::Value;
  struct Args {
    Op op;
    FoldTiles tiles;
    const float* x;
    Value* partial;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kPartThreads * sizeof(Value);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const FoldTiles& t = args.tiles;
    const unsigned lane = thread.index() % t.lanes, rows = thread.threads() / t.lanes;
    const int64_t inner = int64_t{thread.block() % t.tiles} * t.lanes + lane;
    const int64_t chunk = thread.block() / t.tiles % t.chunks, outer = thread.block() / t.tiles / t.chunks;
    const int64_t end = (chunk + 1) * t.chunk < t.axis ? (chunk + 1) * t.chunk : t.axis;
    Value total = args.op.none();
    if (inner < t.inner) {
      const float* const x = args.x + outer * t.axis * t.inner + inner;
      for (int64_t a = chunk * t.chunk + thread.index() / t.lanes; a < end; a += rows) args.op(total, x[a * t.inner]);
    }
    Value* const room = thread.shared<Value>();
    room[thread.index()] = total;
    join_rows(thread, room, rows, t.lanes, args.op);
    if (thread.index() < t.lanes && inner < t.inner)
      args.partial[(chunk * t.outer + outer) * t.inner + inner] = room[lane];
  }
};

}  // namespace ntq::cuda
