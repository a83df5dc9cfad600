#include "engine/backend/cpu/winograd.h"

#include <algorithm>

#include "base/ceil_div.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::cpu {
namespace {

/// Takes all tiles through three phases as the schedule has it: prepare(first tile, last, v, m) transforms images,
/// multiply(part, j, tiles, v, m) is one of the 36 products, finish(first, last, m) transforms back. v {36, pass, in}
/// and m {36, pass, out} belong to a part.
template <class Prepare, class Multiply, class Finish>
void each_tile(Backend& backend, const TileSchedule& schedule, int64_t tiles, int64_t in, int64_t out,
               const Prepare& prepare, const Multiply& multiply, const Finish& finish) {
  const int64_t parts = schedule.parts, pass = schedule.pass;
  parallel_for(parts, [&](int64_t part) {
    const auto share = [parts](int64_t n, int64_t grain, const auto& range) {
      if (parts == 1) return parallel_ranges(n, grain, range);
      range(0, n);
    };
    Scratch v(backend, kTransformed * pass * in), m(backend, kTransformed * pass * out);
    const int64_t end = schedule.begin(part + 1, tiles);
    for (int64_t first = schedule.begin(part, tiles); first < end; first += pass) {
      const int64_t count = std::min(end - first, pass);
      share(count, 8,
            [&](int64_t b, int64_t e) { prepare(first + b, first + e, v.data() + b * in, m.data() + b * out); });
      share(kTransformed, 1, [&](int64_t b, int64_t e) {
        for (int64_t j = b; j < e; ++j) multiply(part, j, count, v.data() + j * pass * in, m.data() + j * pass * out);
      });
      share(count, 8, [&](int64_t b, int64_t e) { finish(first + b, first + e, m.data() + b * out); });
    }
  });
}

void transform(const Kernels& k, const WinogradImages& g, const Images& x, int64_t begin, int64_t end, float* v,
               int64_t stride) {
  if (x.x) return k.winograd_input(g, x.x, begin, end, v, stride);
  k.winograd_input_codes(g, x.codes, begin, end, v, stride);
}

}  // namespace

void winograd_conv(Backend& backend, const Kernels& k, const ConvPlan& plan, Filters filters, const Images& x,
                   const float* w, float* y) {
  const ConvGeometry& g = plan.g;
  const bool turned = filters == Filters::turned;
  const int64_t in = turned ? g.out_c : g.in_c, out = turned ? g.in_c : g.out_c, stride = plan.tiles.pass;
  const WinogradImages source{g.in_h, g.in_w, in}, target{g.in_h, g.in_w, out};
  const int64_t panels = ceil_div(out, k.panel), matrix = panels * in * k.panel;
  Scratch u(backend, kTransformed * matrix);
  parallel_for(panels, [&](int64_t panel) { k.winograd_filter(w, in, out, turned, panel, u.data()); });
  each_tile(
      backend, plan.tiles, g.batch * source.tiles(), in, out,
      [&](int64_t b, int64_t e, float* v, float*) { transform(k, source, x, b, e, v, stride); },
      [&](int64_t, int64_t j, int64_t tiles, const float* v, float* m) {
        k.winograd_product(v, u.data() + j * matrix, tiles, in, out, m);
      },
      [&](int64_t b, int64_t e, const float* m) { k.winograd_output(target, m, stride, b, e, y); });
}

void winograd_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, const float* dy, const Images& x,
                          float* dw) {
  const ConvGeometry& g = plan.g;
  const int64_t in = g.in_c, out = g.out_c, size = kTransformed * out * in, stride = plan.tiles.pass;
  const WinogradImages source{g.in_h, g.in_w, in}, target{g.in_h, g.in_w, out};
  Scratch sums(backend, plan.tiles.parts * size);
  backend.fill(0.0f, sums.view());
  each_tile(
      backend, plan.tiles, g.batch * source.tiles(), in, out,
      [&](int64_t b, int64_t e, float* v, float* d) {
        transform(k, source, x, b, e, v, stride);
        k.winograd_grad(target, dy, b, e, d, stride);
      },
      [&](int64_t part, int64_t j, int64_t tiles, const float* v, const float* d) {
        k.winograd_outer(d, v, tiles, in, out, sums.data() + part * size + j * out * in);
      },
      [](int64_t, int64_t, const float*) {});
  const View total = sums.view().part(0, size);
  for (int64_t part = 1; part < plan.tiles.parts; ++part)
    backend.axpy(1.0f, sums.view().part(part * size, size), total);
  parallel_for(out, [&](int64_t o) { k.winograd_filter_grad(sums.data(), in, out, o, dw); });
}

}  // namespace ntq::cpu
