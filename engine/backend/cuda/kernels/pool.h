#pragma once
// Pooling and its gradients. Gradients are gathered, in the order of the windows: the bits of the CPU.
#include "engine/backend/cuda/kernels/pixels.h"

namespace ntq::cuda {

template <Access kAccess>
struct MaxPoolKernel {
  struct Args {
    PoolGeometry g;
    RowTiles tiles;  ///< of output pixels
    const float* x;
    float* y;
    int32_t* index;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const PoolGeometry& g = args.g;
    const TilePlace at = place_of(thread, args.tiles);
    each_pixel(at, [&](int64_t place) {
      const Pixel out = pixel_of(place, g.out_h, g.out_w);
      const Span rows = window_of(g, g.in_h, out.h), columns = window_of(g, g.in_w, out.w);
      const int64_t first = (out.image * g.in_h + rows.begin) * g.in_w + columns.begin;
      Float4 best = get<kAccess>(args.x + first * g.channels + at.channel, at.count);
      Pack<int32_t> where;
      for (int j = 0; j < 4; ++j) where.v[j] = static_cast<int32_t>(first);
      for (int h = 0; h < rows.size(); ++h) {
        for (int w = 0; w < columns.size(); ++w) {
          const int64_t pixel = first + h * g.in_w + w;
          const Float4 x = get<kAccess>(args.x + pixel * g.channels + at.channel, at.count);
          for (int j = 0; j < 4; ++j) {
            if (!(x.v[j] > best.v[j] || x.v[j] != x.v[j])) continue;
            best.v[j] = x.v[j];
            where.v[j] = static_cast<int32_t>(pixel);
          }
        }
      }
      put<kAccess>(args.y + place * g.channels + at.channel, best, at.count);
      put<kAccess>(args.index + place * g.channels + at.channel, where, at.count);
    });
  }
};

/// dx = the sum of term(window's output pixel, offset of its channels, window's pixels) over the windows that see it.
template <Access kAccess, class Term>
NTQ_DEVICE void gather_grad(const Thread& thread, const PoolGeometry& g, const RowTiles& tiles, float* dx,
                            const Term& term) {
  const TilePlace at = place_of(thread, tiles);
  each_pixel(at, [&](int64_t place) {
    const Pixel in = pixel_of(place, g.in_h, g.in_w);
    const Span rows = outputs_of(g, g.out_h, in.h), columns = outputs_of(g, g.out_w, in.w);
    Float4 sum{};
    for (int h = rows.begin; h < rows.end; ++h) {
      int64_t from = ((in.image * g.out_h + h) * g.out_w + columns.begin) * g.channels + at.channel;
      for (int w = columns.begin; w < columns.end; ++w, from += g.channels) {
        const Float4 more = term(at.count, from, Pixel{static_cast<int>(place), h, w});
        for (int j = 0; j < 4; ++j) sum.v[j] += more.v[j];
      }
    }
    put<kAccess>(dx + place * g.channels + at.channel, sum, at.count);
  });
}

template <Access kAccess>
struct MaxPoolGradKernel {
  struct Args {
    PoolGeometry g;
    RowTiles tiles;  ///< of input pixels
    const float* dy;
    const int32_t* index;
    float* dx;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    gather_grad<kAccess>(thread, args.g, args.tiles, args.dx, [&](int count, int64_t from, const Pixel& of) {
      const Pack<int32_t> index = get<kAccess>(args.index + from, count);
      Float4 dy = get<kAccess>(args.dy + from, count);
      for (int j = 0; j < 4; ++j) dy.v[j] = index.v[j] == of.image ? dy.v[j] : 0.0f;
      return dy;
    });
  }
};

NTQ_DEVICE float inverse_count(const Span& rows, const Span& columns) {
  return 1.0f / static_cast<float>(rows.size() * columns.size());
}

template <Access kAccess>
struct AvgPoolKernel {
  struct Args {
    PoolGeometry g;
    RowTiles tiles;  ///< of output pixels
    const float* x;
    float* y;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const PoolGeometry& g = args.g;
    const TilePlace at = place_of(thread, args.tiles);
    each_pixel(at, [&](int64_t place) {
      const Pixel out = pixel_of(place, g.out_h, g.out_w);
      const Span rows = window_of(g, g.in_h, out.h), columns = window_of(g, g.in_w, out.w);
      Float4 sum{};
      for (int h = rows.begin; h < rows.end; ++h) {
        const int64_t line = (out.image * g.in_h + h) * g.in_w;
        for (int w = columns.begin; w < columns.end; ++w) {
          const Float4 x = get<kAccess>(args.x + (line + w) * g.channels + at.channel, at.count);
          for (int j = 0; j < 4; ++j) sum.v[j] += x.v[j];
        }
      }
      const float share = inverse_count(rows, columns);
      for (int j = 0; j < 4; ++j) sum.v[j] = share * sum.v[j];
      put<kAccess>(args.y + place * g.channels + at.channel, sum, at.count);
    });
  }
};

template <Access kAccess>
struct AvgPoolGradKernel {
  struct Args {
    PoolGeometry g;
    RowTiles tiles;  ///< of input pixels
    const float* dy;
    float* dx;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    gather_grad<kAccess>(thread, args.g, args.tiles, args.dx, [&](int count, int64_t from, const Pixel& of) {
      const float share = inverse_count(window_of(args.g, args.g.in_h, of.h), window_of(args.g, args.g.in_w, of.w));
      Float4 dy = get<kAccess>(args.dy + from, count);
      for (int j = 0; j < 4; ++j) dy.v[j] = share * dy.v[j];
      return dy;
    });
  }
};

/// Every stride-th pixel, between channels of zeros.
template <Access kAccess>
struct SubsampleKernel {
  struct Args {
    SubsampleGeometry g;
    int64_t out_h, out_w;
    RowTiles tiles;  ///< of output pixels
    const float* x;
    float* y;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const SubsampleGeometry& g = args.g;
    const TilePlace at = place_of(thread, args.tiles);
    const int64_t c = at.channel - g.extra;  // in x, of the pack's first
    each_pixel(at, [&](int64_t place) {
      const Pixel out = pixel_of(place, args.out_h, args.out_w);
      const float* x = args.x + ((out.image * g.in_h + out.h * g.stride) * g.in_w + out.w * g.stride) * g.in_c + c;
      Float4 y{};
      if constexpr (kAccess == Access::whole) {
        if (c >= 0 && c < g.in_c) y = get<kAccess>(x);
      } else {
        for (int j = 0; j < 4; ++j) {
          if (j < at.count && c + j >= 0 && c + j < g.in_c) y.v[j] = x[j];
        }
      }
      put<kAccess>(args.y + place * args.tiles.channels + at.channel, y, at.count);
    });
  }
};

template <Access kAccess>
struct SubsampleGradKernel {
  struct Args {
    SubsampleGeometry g;
    int64_t out_h, out_w, out_c;
    RowTiles tiles;  ///< of input pixels
    const float* dy;
    float* dx;
  };
  static constexpr bool kSyncs = false;
  NTQ_DEVICE static void run(Thread& thread, const Args& args) {
    const SubsampleGeometry& g = args.g;
    const TilePlace at = place_of(thread, args.tiles);
    each_pixel(at, [&](int64_t place) {
      const Pixel in = pixel_of(place, g.in_h, g.in_w);
      const bool kept = in.h % g.stride == 0 && in.w % g.stride == 0;
      const int64_t from = (in.image * args.out_h + in.h / g.stride) * args.out_w + in.w / g.stride;
      Float4 dx{};
      if (kept) dx = get<kAccess>(args.dy + from * args.out_c + g.extra + at.channel, at.count);
      put<kAccess>(args.dx + place * g.in_c + at.channel, dx, at.count);
    });
  }
};

}  // namespace ntq::cuda
