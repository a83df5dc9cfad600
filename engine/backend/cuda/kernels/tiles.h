#pragma once
// Rows of {rows,channels} shared out among blocks: neighbouring threads take neighbouring channels, four each, and stay
// with them, so that what belongs to a channel stays in registers over many rows. By the sizes alone: sums taken in
// this order are the same on every device.
#include "base/ceil_div.h"
#include "engine/backend/cuda/kernels/pack.h"

namespace ntq::cuda {

constexpr unsigned kTileThreads = 256;
constexpr int64_t kMostTileBlocks = 1056;  // eight for each multiprocessor of an H100

struct RowTiles {
  int64_t rows = 0, channels = 0;
  int64_t chunk = 1;   ///< rows of a block; the last chunk may be shorter
  unsigned lanes = 1;  ///< threads side by side, a power of two
  unsigned tiles = 1;  ///< of 4 * lanes channels
  unsigned chunks = 1;
  bool backwards = false;  ///< from the last rows, which the kernel before has left in the cache, to the first
  unsigned blocks() const { return tiles * chunks; }
};

/// channels >= 1.
inline RowTiles row_tiles(int64_t rows, int64_t channels) {
  RowTiles t{.rows = rows, .channels = channels};
  while (t.lanes < 16 && 4 * int64_t{t.lanes} < channels) t.lanes *= 2;
  t.tiles = static_cast<unsigned>(ceil_div(channels, 4 * int64_t{t.lanes}));
  const int64_t together = kTileThreads / t.lanes;
  const int64_t wanted = rows * channels / 4096, blocks = wanted < kMostTileBlocks ? wanted : kMostTileBlocks;
  const int64_t chunks = blocks / t.tiles > 0 ? blocks / t.tiles : 1;
  t.chunk = round_up(ceil_div(rows > 0 ? rows : 1, chunks), together);
  t.chunks = static_cast<unsigned>(ceil_div(rows > 0 ? rows : 1, t.chunk));
  return t;
}

/// What a thread has of it: rows begin, begin + step, ... below end, of `count` channels from the first; a count of 0
/// or less: none.
struct TilePlace {
  int64_t channel;
  int count;
  int64_t begin, end, step;
  unsigned chunk;
};
NTQ_DEVICE TilePlace place_of(const Thread& thread, const RowTiles& t) {
  const unsigned nth = thread.block() / t.tiles, tile = thread.block() % t.tiles;
  const unsigned chunk = t.backwards ? t.chunks - 1 - nth : nth;
  const int64_t channel = (int64_t{tile} * t.lanes + thread.index() % t.lanes) * 4, left = t.channels - channel;
  const int64_t first = chunk * t.chunk, last = first + t.chunk;
  return {channel,
          left < 4 ? static_cast<int>(left) : 4,
          first + thread.index() / t.lanes,
          last < t.rows ? last : t.rows,
          thread.threads() / t.lanes,
          chunk};
}

/// Calls each(position of the first of the thread's channels) for its rows, kTogether of which are on their way at
/// once: load(position) gives what each(position, loaded) takes.
template <int kTogether, class Load, class Each>
NTQ_DEVICE void each_row(const TilePlace& at, int64_t channels, const Load& load, const Each& each) {
  if (at.count <= 0) return;
  const int64_t stride = at.step * channels, end = at.end * channels + at.channel;
  for (int64_t i = at.begin * channels + at.channel; i < end; i += kTogether * stride) {
    decltype(load(i)) loaded[kTogether] = {};
    for (int k = 0; k < kTogether; ++k) {
      if (i + k * stride < end) loaded[k] = load(i + k * stride);
    }
    for (int k = 0; k < kTogether; ++k) {
      if (i + k * stride < end) each(i + k * stride, loaded[k]);
    }
  }
}

/// Sums kValues values of each thread over the rows of its chunk: thread i < kValues * lanes gets that of value i /
/// lanes of the threads in column i % lanes, its own. shared: a double for each value of each thread. All threads call
/// it.
template <int kValues>
NTQ_DEVICE double sum_columns(Thread& thread, const RowTiles& t, const double (&own)[kValues]) {
  double* const shared = thread.shared<double>();
  const unsigned threads = thread.threads(), me = thread.index();
  for (int k = 0; k < kValues; ++k) shared[k * threads + me] = own[k];
  thread.sync();
  // Rows are shared out among as many groups of threads as there are: kValues for each.
  const unsigned sums = kValues * t.lanes, groups = threads / sums, group = me / sums, which = me % sums;
  const double* const from = shared + which / t.lanes * threads + which % t.lanes;
  double sum = 0;
  for (unsigned k = 0; k < kValues; ++k) sum += from[(group + k * groups) * t.lanes];
  thread.sync();
  shared[me] = sum;
  thread.sync();
  for (unsigned other = 1; me < sums && other < groups; ++other) sum += shared[me + other * sums];
  thread.sync();
  return sum;
}

/// Of the channels' own values, nothing: zeros.
template <Access kAccess>
NTQ_DEVICE Float4 of_channels(const float* p, const TilePlace& at) {
  return p && at.count > 0 ? get<kAccess>(p + at.channel, at.count) : Float4{};
}

}  // namespace ntq::cuda
