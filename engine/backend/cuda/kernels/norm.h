#pragma once
// Batch norm forward: statistics, then values or codes. Two reads of x and one write in all.
#include <cmath>

#include "engine/backend/cuda/kernels/block.h"
#include "engine/backend/cuda/kernels/tiles.h"
#include "engine/backend/cuda/kernels/uniform.h"

namespace ntq::cuda {

constexpr unsigned kJoinChannels = 8;  // of a block that joins what chunks of rows gave
constexpr unsigned kJoinRows = kTileThreads / kJoinChannels;

/// Mean, and sum of squared deviations from it, of `count` values.
struct Moments {
  double count = 0, mean = 0, m2 = 0;
};
/// Chan, Golub & LeVeque 1979, Eq. 2.1.
NTQ_DEVICE Moments operator+(const Moments& a, const Moments& b) {
  const double count = a.count + b.count, delta = b.mean - a.mean, share = count > 0 ? b.count / count : 0;
  return {count, a.mean + delta * share, a.m2 + b.m2 + delta * delta * a.count * share};
}

/// Joins what the threads that share channels have found; those of the first row get it.
template <class T>
NTQ_DEVICE Pack<T> join_rows(Thread& thread, const RowTiles& t, const Pack<T>& own) {
  return combine_lanes(thread, thread.shared<Pack<T>>(), thread.index() / t.lanes, thread.threads() / t.lanes,
                       thread.index() % t.lanes, t.lanes, own, [](const Pack<T>& a, const Pack<T>& b) {
                         return Pack<T>{{a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3]}};
                       });
}

/// Moments {chunks,channels} of x. Deviations are taken from a thread's first value, so that a large mean does no harm.
template <Access kAccess>
struct NormStatsKernel {
  struct Args {
    RowTiles tiles;
    const float* x;
    Moments* partial;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kTileThreads * sizeof(Pack<Moments>);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const RowTiles& t = args.tiles;
    const TilePlace at = place_of(thread, t);
    Float4 origin{}, sums{}, squares{};
    if (at.count > 0 && at.begin < at.end) origin = get<kAccess>(args.x + at.begin * t.channels + at.channel, at.count);
    each_row(
        at, t.channels, [&](int64_t i) { return get<kAccess>(args.x + i, at.count); },
        [&](int64_t, const Float4& x) {
          for (int j = 0; j < 4; ++j) {
            const float d = x.v[j] - origin.v[j];
            sums.v[j] += d;
            squares.v[j] += d * d;
          }
        });
    const int64_t rows = at.begin < at.end ? (at.end - at.begin + at.step - 1) / at.step : 0;
    const double count = static_cast<double>(rows), share = rows > 0 ? 1 / count : 0;
    Pack<Moments> own;
    for (int j = 0; j < 4; ++j) {
      const double sum = static_cast<double>(sums.v[j]);
      own.v[j] = {count, static_cast<double>(origin.v[j]) + sum * share,
                  static_cast<double>(squares.v[j]) - sum * sum * share};
    }
    own = join_rows(thread, t, own);
    if (thread.index() >= t.lanes) return;
    for (int j = 0; j < 4; ++j) {
      if (j < at.count) args.partial[at.chunk * t.channels + at.channel + j] = own.v[j];
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
template <class T>
NTQ_DEVICE T join_chunks(Thread& thread, const T* partial, unsigned chunks, int64_t channels) {
  const int64_t c = joined_channel(thread);
  const unsigned row = thread.index() / kJoinChannels;
  T total{};
  for (unsigned i = row; i < chunks && c < channels; i += kJoinRows) total = total + partial[i * channels + c];
  return combine_lanes(thread, thread.shared<T>(), row, kJoinRows, thread.index() % kJoinChannels, kJoinChannels, total,
                       Plus());
}

struct NormStatsJoinKernel {
  struct Args {
    int64_t channels;
    unsigned chunks;
    const Moments* partial;
    float *mean, *inv_std, *running_mean, *running_var;
    float momentum, eps, unbias;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kTileThreads * sizeof(Moments);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const int64_t c = joined_channel(thread);
    const Moments total = join_chunks(thread, args.partial, args.chunks, args.channels);
    if (thread.index() >= kJoinChannels || c >= args.channels) return;
    const float mean = static_cast<float>(total.mean), var = static_cast<float>(total.m2 / total.count);
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
    each_row(
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
    each_row(
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
