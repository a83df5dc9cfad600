#pragma once
// The gradient of batch norm and of what is fused behind it, a ReLU and a quantizer with its step's gradient: sums over
// all rows first, then dx. What was masked is found again, not stored.
#include "engine/backend/cuda/kernels/norm.h"

namespace ntq::cuda {

/// What lies behind a norm: a ReLU or none, a quantizer or none (no step). The masks are seen in y, or in what y is
/// made of.
struct NormGradInputs {
  NormInputs of;
  bool of_y;  ///< third is y, else the residual
  const float *dy, *third, *dy_codes;
  const float* step;
  QuantRange range;
};
/// Sums of dy, and of dy (x - mean).
struct NormGradSums {
  double dy = 0, dy_x = 0;
};
NTQ_DEVICE NormGradSums operator+(const NormGradSums& a, const NormGradSums& b) {
  return {a.dy + b.dy, a.dy_x + b.dy_x};
}

/// What a kernel reads: two to four tensors, x and dy, y or a residual, the gradient of codes; and whether there is a
/// quantizer.
template <int kCount, bool kWithStep>
struct NormReads {
  static constexpr int kTensors = kCount;
  static constexpr bool kQuantizer = kWithStep;
};

/// On their way at once: as many as registers hold.
template <class Reads>
constexpr int kRowsOfReads = Reads::kTensors > 2 ? 2 : 4;

template <class Reads, Access kAccess>
struct NormGradient {
  static constexpr int kTensors = Reads::kTensors;
  struct Loaded {
    Float4 v[kTensors];
  };
  const NormGradInputs& a;
  const TilePlace& at;
  NormChannels channels;
  Uniform q;

  NTQ_DEVICE NormGradient(const NormGradInputs& inputs, const TilePlace& place)
      : a(inputs), at(place), channels(NormChannels::of<kAccess>(inputs.of, place)) {
    if constexpr (Reads::kQuantizer) q = {*a.step, a.range.low, a.range.high};
  }
  NTQ_DEVICE Loaded load(int64_t i) const {
    Loaded out;
    out.v[0] = get<kAccess>(a.of.x + i, at.count);
    out.v[1] = get<kAccess>(a.dy + i, at.count);
    if constexpr (kTensors > 2) out.v[2] = get<kAccess>(a.third + i, at.count);
    if constexpr (kTensors > 3) out.v[3] = get<kAccess>(a.dy_codes + i, at.count);
    return out;
  }
  /// The gradient of the normalised and shifted value j; `of_step` gets its term of the step's gradient, if any. No
  /// branches, so that packs stay packs.
  NTQ_DEVICE float masked(const Loaded& from, int j, float& of_step) const {
    float v = channels.value(from.v[0].v[j], j), g = from.v[1].v[j];
    if constexpr (kTensors > 2) v = a.of_y ? from.v[2].v[j] : v + from.v[2].v[j];
    const bool passes = !a.of.relu || v > 0.0f;
    v = a.of.relu ? rectified(v) : v;
    if constexpr (kTensors > 3) {
      const float of_codes = from.v[3].v[j];
      g += q.passes(v, of_codes, of_step) ? of_codes : 0.0f;
    } else if constexpr (Reads::kQuantizer) {
      g = q.passes(v, g, of_step) ? g : 0.0f;
    }
    return passes ? g : 0.0f;
  }
};

/// Sums {chunks,channels}, and of the step's gradient {blocks}, or none; `masked`, or none, gets the gradients that
/// pass.
template <class Reads, Access kAccess>
struct NormGradSumsKernel {
  struct Args {
    RowTiles tiles;
    NormGradInputs in;
    float* masked;
    NormGradSums* partial;
    double* of_step;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kTileThreads * 8 * sizeof(double);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const RowTiles& t = args.tiles;
    const TilePlace at = place_of(thread, t);
    const NormGradient<Reads, kAccess> gradient(args.in, at);
    Float4 dy{}, dy_x{};
    float of_step = 0;
    each_row<kRowsOfReads<Reads>>(
        at, t.channels, [&](int64_t i) { return gradient.load(i); },
        [&](int64_t i, const auto& from) {
          Float4 masked;
          for (int j = 0; j < 4; ++j) {
            float term = 0;
            const float g = gradient.masked(from, j, term);
            masked.v[j] = g;
            dy.v[j] += g;
            dy_x.v[j] += g * (from.v[0].v[j] - gradient.channels.mean.v[j]);
            if (j < at.count) of_step += term;
          }
          if (args.masked) put<kAccess>(args.masked + i, masked, at.count);
        });
    double own[8];
    for (int j = 0; j < 4; ++j) {
      own[j] = static_cast<double>(dy.v[j]);
      own[4 + j] = static_cast<double>(dy_x.v[j]);
    }
    const double sum = sum_columns(thread, t, own);
    const unsigned value = thread.index() / t.lanes, j = value % 4;
    if (value < 8 && static_cast<int>(j) < at.count) {
      NormGradSums& to = args.partial[at.chunk * t.channels + at.channel + j];
      (value < 4 ? to.dy : to.dy_x) = sum;
    }
    if (!args.of_step) return;
    const double total = combine_block(thread, thread.shared<double>(), static_cast<double>(of_step), Plus());
    if (thread.index() == 0) args.of_step[thread.block()] = total;
  }
};

/// Means {2,channels}, of dy and of dy times normalised x. The last block, where there is one more than the channels
/// need, joins the step's gradient.
struct NormGradJoinKernel {
  struct Args {
    int64_t rows, channels;
    unsigned chunks, step_parts;
    const NormGradSums* partial;
    const double* of_step;
    const float* inv_std;
    bool frozen;
    float grad_scale;
    float *means, *dgamma, *dbeta, *dstep;
  };
  static constexpr bool kSyncs = true;
  static constexpr unsigned kShared = kTileThreads * sizeof(NormGradSums);
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    if (args.of_step && thread.block() + 1 == thread.blocks()) return join_step(thread, args);
    const int64_t c = joined_channel(thread);
    NormGradSums total = join_chunks<NormGradSums>(thread, args.chunks, c < args.channels,
                                                   [&](unsigned i) { return args.partial[i * args.channels + c]; });
    if (thread.index() >= kJoinChannels || c >= args.channels) return;
    total.dy_x *= static_cast<double>(args.inv_std[c]);
    const double rows = static_cast<double>(args.rows);
    args.dbeta[c] = static_cast<float>(total.dy);
    args.dgamma[c] = static_cast<float>(total.dy_x);
    // Constant statistics drop out.
    args.means[c] = args.frozen ? 0.0f : static_cast<float>(total.dy / rows);
    args.means[args.channels + c] = args.frozen ? 0.0f : static_cast<float>(total.dy_x / rows);
  }

 private:
  NTQ_DEVICE static void join_step(Thread& thread, const Args& args) {
    double total = 0;
    for (unsigned i = thread.index(); i < args.step_parts; i += thread.threads()) total += args.of_step[i];
    total = combine_block(thread, thread.shared<double>(), total, Plus());
    if (thread.index() == 0) *args.dstep = static_cast<float>(static_cast<double>(args.grad_scale) * total);
  }
};

/// dx = gamma inv_std (dy - mean_dy - xhat mean_dy_x), dy masked; dx may be dy.
template <class Reads, Access kAccess>
struct NormGradApplyKernel {
  struct Args {
    RowTiles tiles;
    NormGradInputs in;
    const float* means;
    float* dx;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const TilePlace at = place_of(thread, args.tiles);
    const NormGradient<Reads, kAccess> gradient(args.in, at);
    const Float4 inv_std = of_channels<kAccess>(args.in.of.inv_std, at);
    const Float4 mean_dy = of_channels<kAccess>(args.means, at);
    const Float4 mean_dy_x = of_channels<kAccess>(args.means + args.tiles.channels, at);
    each_row<kRowsOfReads<Reads>>(
        at, args.tiles.channels, [&](int64_t i) { return gradient.load(i); },
        [&](int64_t i, const auto& from) {
          Float4 dx;
          for (int j = 0; j < 4; ++j) {
            float of_step = 0;
            const float g = gradient.masked(from, j, of_step);
            const float xhat = (from.v[0].v[j] - gradient.channels.mean.v[j]) * inv_std.v[j];
            dx.v[j] = (g - mean_dy.v[j] - xhat * mean_dy_x.v[j]) * gradient.channels.factor.v[j];
          }
          put<kAccess>(args.dx + i, dx, at.count);
        });
  }
};

}  // namespace ntq::cuda
