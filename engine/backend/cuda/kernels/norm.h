#pragma once
// Batch norm forward: statistics, then values or codes. Two reads of x and one write in all.
#include <cmath>

#include "engine/backend/cuda/kernels/block.h"
#include "engine/backend/cuda/kernels/tiles.h"
#include "engine/backend/cuda/kernels/uniform.h"

namespace ntq::cuda {

constexpr unsigned kJoinChannels = 4;  // of a block that joins what chunks of rows gave
constexpr unsigned kJoinRows = kTileThreads / kJoinChannels;

/// Of a chunk of rows: sums of x less the chunk's first value, and of the squares of that.
struct NormSums {
  double sum = 0, squares = 0, origin = 0;
};

/// Sums {chunks,channels} of x. Deviations are taken from a chunk's first value, so that a large mean does no harm.
template <Access kAccess>
struct NormStatsKernel {
  struct Args {
    RowTiles tiles;
    const float* x;
    NormSums* partial;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kTileThreads * 8 * sizeof(double);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const RowTiles& t = args.tiles;
    const TilePlace at = place_of(thread, t);
    const int64_t first = at.chunk * t.chunk;
    Float4 origin{}, sums{}, squares{};
    if (at.count > 0 && first < t.rows) origin = get<kAccess>(args.x + first * t.channels + at.channel, at.count);
    each_row<4>(
        at, t.channels, [&](int64_t i) { return get<kAccess>(args.x + i, at.count); },
        [&](int64_t, const Float4& x) {
          for (int j = 0; j < 4; ++j) {
            const float d = x.v[j] - origin.v[j];
            sums.v[j] += d;
            squares.v[j] += d * d;
          }
        });
    double own[8];
    for (int j = 0; j < 4; ++j) {
      own[j] = static_cast<double>(sums.v[j]);
      own[4 + j] = static_cast<double>(squares.v[j]);
    }
    const double total = sum_columns(thread, t, own);
    NormSums* const to = args.partial + at.chunk * t.channels + at.channel;
    const unsigned value = thread.index() / t.lanes, j = value % 4;
    if (value < 8 && static_cast<int>(j) < at.count) (value < 4 ? to[j].sum : to[j].squares) = total;
    for (int l = 0; l < 4; ++l) {
      if (value == 0 && l < at.count) to[l].origin = static_cast<double>(origin.v[l]);
    }
  }
};

/// Not a number for a variance that is not finite.
NTQ_DEVICE float inverse_std_of(float var, float eps) {
  return is_finite(var) ? 1.0f / std::sqrt(var + eps) : not_a_number();
}

/// The channel of which a thread joins every kJoinRows-th chunk, and these joined, for the first threads of the block.
NTQ_DEVICE int64_t joined_channel(const Thread& thread) {
  return int64_t{thread.block()} * kJoinChannels + thread.index() % kJoinChannels;
}
/// of(i): what chunk i has of a channel.
template <class T, class Of>
NTQ_DEVICE T join_chunks(Thread& thread, unsigned chunks, bool is_one, const Of& of) {
  const unsigned row = thread.index() / kJoinChannels;
  T total{};
  for (unsigned i = row; i < chunks && is_one; i += kJoinRows) total = total + of(i);
  return combine_lanes(thread, thread.shared<T>(), row, kJoinRows, thread.index() % kJoinChannels, kJoinChannels, total,
                       Plus());
}

/// The mean, then the squared deviations from it: without a division for each chunk.
struct NormStatsJoinKernel {
  struct Args {
    int64_t rows, channels, chunk;  ///< rows of a chunk; the last may have fewer
    unsigned chunks;
    const NormSums* partial;
    float *mean, *inv_std, *running_mean, *running_var;
    float momentum, eps, unbias;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kTileThreads * sizeof(double);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const int64_t c = joined_channel(thread);
    const double rows = static_cast<double>(args.rows);
    const auto count_of = [&](unsigned i) {
      const int64_t left = args.rows - i * args.chunk;
      return static_cast<double>(left < args.chunk ? left : args.chunk);
    };
    double* const shared = thread.shared<double>();
    const double sum = join_chunks<double>(thread, args.chunks, c < args.channels, [&](unsigned i) {
      const NormSums& part = args.partial[i * args.channels + c];
      return part.sum + count_of(i) * part.origin;
    });
    if (thread.index() < kJoinChannels) shared[thread.index()] = sum / rows;
    thread.sync();
    const double exact_mean = shared[thread.index() % kJoinChannels];
    thread.sync();
    const double squares = join_chunks<double>(thread, args.chunks, c < args.channels, [&](unsigned i) {
      const NormSums& part = args.partial[i * args.channels + c];
      const double off = exact_mean - part.origin;
      return part.squares + off * (count_of(i) * off - 2 * part.sum);
    });
    if (thread.index() >= kJoinChannels || c >= args.channels) return;
    const float mean = static_cast<float>(exact_mean), var = static_cast<float>(squares / rows);
    const float keep = 1 - args.momentum;
    args.mean[c] = mean;
    args.inv_std[c] = inverse_std_of(var, args.eps);
    args.running_mean[c] = keep * args.running_mean[c] + args.momentum * mean;
    args.running_var[c] = keep * args.running_var[c] + args.momentum * (var * args.unbias);
  }
};

struct InverseStdKernel {
  struct Args {
    const float* var;
    float eps;
    float* y;
    int64_t n;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    each_index(thread, args.n, [&](int64_t i) { args.y[i] = inverse_std_of(args.var[i], args.eps); });
  }
};

/// What a norm's values are made of.
struct NormInputs {
  const float *x, *mean, *inv_std, *gamma, *beta;
  bool relu;
};

/// Of a thread's channels.
struct NormChannels {
  Float4 mean, factor, beta;

  template <Access kAccess>
  NTQ_DEVICE static NormChannels of(const NormInputs& a, const TilePlace& at) {
    NormChannels out{of_channels<kAccess>(a.mean, at), of_channels<kAccess>(a.inv_std, at),
                     of_channels<kAccess>(a.beta, at)};
    const Float4 gamma = of_channels<kAccess>(a.gamma, at);
    for (int j = 0; j < 4; ++j) out.factor.v[j] *= gamma.v[j];
    return out;
  }
  /// Without residual and ReLU.
  NTQ_DEVICE float value(float x, int j) const { return (x - mean.v[j]) * factor.v[j] + beta.v[j]; }
};
NTQ_DEVICE float rectified(float v) { return v < 0.0f ? 0.0f : v; }

template <Access kAccess>
struct NormApplyKernel {
  struct Args {
    RowTiles tiles;
    NormInputs in;
    const float* residual;
    float* y;
  };
  struct Loaded {
    Float4 x, residual;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const TilePlace at = place_of(thread, args.tiles);
    const NormChannels channels = NormChannels::of<kAccess>(args.in, at);
    each_row<4>(
        at, args.tiles.channels,
        [&](int64_t i) {
          return Loaded{get<kAccess>(args.in.x + i, at.count),
                        args.residual ? get<kAccess>(args.residual + i, at.count) : Float4{}};
        },
        [&](int64_t i, const Loaded& from) {
          Float4 y;
          for (int j = 0; j < 4; ++j) {
            float v = channels.value(from.x.v[j], j);
            if (args.residual) v += from.residual.v[j];
            y.v[j] = args.in.relu ? rectified(v) : v;
          }
          put<kAccess>(args.y + i, y, at.count);
        });
  }
};

/// `checked`, or none, holds the step, and becomes what is not a number where a value is not finite.
template <Access kAccess>
struct NormCodesKernel {
  struct Args {
    RowTiles tiles;
    NormInputs in;
    const float *residual, *step;
    QuantRange range;
    uint8_t* codes;
    float* checked;
  };
  using Loaded = typename NormApplyKernel<kAccess>::Loaded;
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const TilePlace at = place_of(thread, args.tiles);
    const NormChannels channels = NormChannels::of<kAccess>(args.in, at);
    const Uniform q{*args.step, args.range.low, args.range.high};
    float check = 0;
    each_row<4>(
        at, args.tiles.channels,
        [&](int64_t i) {
          return Loaded{get<kAccess>(args.in.x + i, at.count),
                        args.residual ? get<kAccess>(args.residual + i, at.count) : Float4{}};
        },
        [&](int64_t i, const Loaded& from) {
          Byte4 codes;
          for (int j = 0; j < 4; ++j) {
            float v = channels.value(from.x.v[j], j);
            if (args.residual) v += from.residual.v[j];
            v = args.in.relu ? rectified(v) : v;
            check += v - v;
            codes.v[j] = q.byte(v);
          }
          put<kAccess>(args.codes + i, codes, at.count);
        });
    if (args.checked && check != 0) *args.checked = check;
  }
};

}  // namespace ntq::cuda
