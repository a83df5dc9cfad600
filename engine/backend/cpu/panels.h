#pragma once
// Panels of filters, and sums of their gradients in parts: what direct convolutions of float32 share.
#include <algorithm>
#include <cstring>

#include "base/ceil_div.h"
#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/images.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::cpu {

constexpr int64_t kProducts = 16;   // that take the time of one float in a simple loop, at the least
constexpr int64_t kTogether = 128;  // pixels that a filter gradient sums at a time

/// What a tap outside of the image reads.
struct Zeros : Scratch {
  Zeros(Backend& backend, int64_t channels) : Scratch(backend, channels) { std::fill(data(), data() + channels, 0.0f); }
};

/// packed {panels of out, taps, in, panel} with weight(tap, in channel, first out channel, n, to) filling n values.
template <class Weight>
void pack(int64_t out, int64_t taps, int64_t in, int64_t panel, float* packed, const Weight& weight) {
  parallel_for(ceil_div(out, panel) * taps, 4 * in * panel, [&](int64_t i) {
    const int64_t o = i / taps * panel, n = std::min(panel, out - o);
    float* to = packed + i * in * panel;
    for (int64_t c = 0; c < in; ++c, to += panel) {
      weight(i % taps, c, o, n, to);
      std::fill(to + n, to + panel, 0.0f);
    }
  });
}

/// dw {Cout, taps, depth}; add(rows [begin, end), channels [co, co_end), sums {Cout, taps, padded depth}) adds theirs.
template <class Add>
void sum_parts(Backend& backend, const Kernels& k, const ConvPlan& plan, int64_t taps, int64_t depth, float* dw,
               const Add& add) {
  const ConvGeometry& g = plan.g;
  const int64_t rows = g.batch * g.out_h * g.out_w, padded = round_up(depth, k.panel);
  const int64_t filter = taps * padded, size = g.out_c * filter;
  const int64_t parts = plan.parts, groups = plan.channel_groups;
  const int64_t part_rows = round_up(ceil_div(rows, parts), kTogether);
  const Scratch sums(backend, parts * size);
  parallel_for(parts * groups, std::min(part_rows, rows) * size / groups / kProducts, [&](int64_t i) {
    const int64_t part = i / groups, group = i % groups;
    const int64_t co = g.out_c * group / groups, co_end = g.out_c * (group + 1) / groups;
    float* acc = sums.data() + part * size;
    std::fill(acc + co * filter, acc + co_end * filter, 0.0f);
    const int64_t begin = std::min(rows, part * part_rows);
    add(begin, std::min(rows, begin + part_rows), co, co_end, acc);
  });
  parallel_for(g.out_c, parts * filter, [&](int64_t co) {
    float* total = sums.data() + co * filter;
    for (int64_t part = 1; part < parts; ++part) k.f32.axpy(1.0f, total + part * size, total, filter);
    for (int64_t t = 0; t < taps; ++t)
      std::memcpy(dw + (co * taps + t) * depth, total + t * padded, static_cast<size_t>(depth) * sizeof(float));
  });
}

}  // namespace ntq::cpu
