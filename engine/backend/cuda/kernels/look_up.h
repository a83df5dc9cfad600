#pragma once
// Entries of small tables by bisection of their thresholds, and sums over the elements of each entry.
#include "engine/backend/cuda/kernels/math.h"
#include "engine/backend/cuda/kernels/parts.h"

namespace ntq::cuda {

struct Tables {
  const float *thresholds, *entries;
  int count;  ///< entries of a table
  int top;    ///< the largest power of two below it, or 0

  /// How many thresholds of a table lie below x.
  NTQ_DEVICE int place(int64_t table, float x) const {
    const float* const t = thresholds + table * (count - 1);
    int at = 0;
    for (int more = top; more > 0; more /= 2) {
      if (at + more < count && x > t[at + more - 1]) at += more;
    }
    return at;
  }
  NTQ_DEVICE float entry(int64_t table, int place) const { return entries[table * count + place]; }
};
inline Tables tables_of(const float* thresholds, const float* entries, int64_t count) {
  Tables t{thresholds, entries, static_cast<int>(count), 0};
  for (int more = 1; more < t.count; more *= 2) t.top = more;
  return t;
}

/// y = x's entry, or, with dy, dy times it; tables have equal runs of the n elements.
template <Access kAccess>
struct LookUpKernel {
  struct Args {
    Tables tables;
    int64_t run, n;
    const float *x, *dy;
    float* y;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const bool one = args.run == args.n;
    each_pack_of(thread, args.n, [&](int64_t, int64_t i, int count) {
      const Float4 x = get_part<kAccess>(args.x + i, count);
      const Float4 dy = args.dy ? get_part<kAccess>(args.dy + i, count) : Float4{};
      Float4 y{};
      for (int j = 0; j < 4; ++j) {
        if (j >= count) continue;
        const int64_t table = one ? 0 : (i + j) / args.run;
        const float entry = args.tables.entry(table, args.tables.place(table, x.v[j]));
        y.v[j] = args.dy ? entry * dy.v[j] : where_finite(x.v[j], entry);
      }
      put_part<kAccess>(args.y + i, y, count);
    });
  }
};

/// Sums of w, and of w x, over elements.
struct EntrySums {
  double w, w_x;
};

constexpr int kLookUpTile = 4 * kPartThreads;

/// What a block keeps of its elements, a tile at a time, until they are summed.
struct LookUpTile {
  float w[kLookUpTile], x[kLookUpTile];
  uint16_t place[kLookUpTile];
};
/// Threads that sum, each with sums of its own of every entry.
inline unsigned summing_threads(int64_t count) {
  unsigned threads = kPartThreads;
  while (threads > 1 && threads * count * int64_t{sizeof(EntrySums)} > 32 << 10) threads /= 2;
  return threads;
}
inline unsigned look_up_shared(unsigned summing, int64_t count) {
  return static_cast<unsigned>(sizeof(LookUpTile) + summing * static_cast<size_t>(count) * sizeof(EntrySums));
}

/// As LookUpKernel, and the sums {parts,2,tables,entries}, w 1 or dy.
template <Access kAccess>
struct LookUpSumsKernel {
  struct Args {
    Tables tables;
    RunParts parts;
    unsigned summing;
    const float *x, *dy;
    float* y;
    double* partial;
  };
  static constexpr bool kSyncs = true;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const PartPlace at = place_of(thread, args.parts);
    LookUpTile& tile = *thread.shared<LookUpTile>();
    EntrySums* const sums = reinterpret_cast<EntrySums*>(&tile + 1);  // {entries,summing threads}
    const unsigned lane = thread.index(), all = static_cast<unsigned>(args.tables.count) * args.summing;
    for (unsigned i = lane; i < all; i += thread.threads()) sums[i] = {0, 0};
    for (int64_t begin = at.begin; begin < at.end; begin += kLookUpTile) {
      const int64_t left = at.end - begin - 4 * int64_t{lane};
      const int count = left < 4 ? static_cast<int>(left) : 4;
      if (count > 0) look_up(args, at.run, begin + 4 * lane, count, tile, 4 * lane);
      thread.sync();
      const int64_t size = at.end - begin < kLookUpTile ? at.end - begin : kLookUpTile;
      for (unsigned i = lane; lane < args.summing && i < size; i += args.summing) {
        EntrySums& own = sums[tile.place[i] * args.summing + lane];
        const auto w = static_cast<double>(tile.w[i]);
        own.w += w;
        own.w_x += w * static_cast<double>(tile.x[i]);
      }
      thread.sync();
    }
    for (unsigned half = args.summing / 2; half > 0; half /= 2) {
      thread.sync();
      for (unsigned i = lane; i < half * static_cast<unsigned>(args.tables.count); i += thread.threads()) {
        EntrySums* const own = sums + i / half * args.summing + i % half;
        own->w += own[half].w;
        own->w_x += own[half].w_x;
      }
    }
    thread.sync();
    const int64_t half = args.parts.runs * args.tables.count;
    double* const to = args.partial + 2 * half * at.part + at.run * args.tables.count;
    for (int i = static_cast<int>(lane); i < args.tables.count; i += static_cast<int>(thread.threads())) {
      to[i] = sums[static_cast<unsigned>(i) * args.summing].w;
      to[half + i] = sums[static_cast<unsigned>(i) * args.summing].w_x;
    }
  }

 private:
  /// A thread's pack of the tile.
  NTQ_DEVICE static void look_up(const Args& args, int64_t table, int64_t i, int count, LookUpTile& tile, unsigned to) {
    const Float4 x = get_part<kAccess>(args.x + i, count);
    const Float4 dy = args.dy ? get_part<kAccess>(args.dy + i, count) : Float4{{1, 1, 1, 1}};
    Float4 y{};
    for (int j = 0; j < 4; ++j) {
      if (j >= count) continue;
      const int place = args.tables.place(table, x.v[j]);
      const float entry = args.tables.entry(table, place);
      y.v[j] = args.dy ? entry * dy.v[j] : where_finite(x.v[j], entry);
      tile.w[to + j] = dy.v[j];
      tile.x[to + j] = x.v[j];
      tile.place[to + j] = static_cast<uint16_t>(place);
    }
    put_part<kAccess>(args.y + i, y, count);
  }
};

}  // namespace ntq::cuda
