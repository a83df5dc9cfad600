#include "engine/backend/cpu/bf16/filters.h"

#include <algorithm>

#include "base/ceil_div.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq::bf16 {
namespace {

using cpu::ConvAlgorithm;
using cpu::ConvPlan;
using cpu::parallel_for;

int64_t pairs_of(const Windows& x) { return ceil_div(x.run(), 2); }

ClassTaps class_taps(int64_t of_class, int64_t kernel, int64_t stride, int64_t pad) {
  ClassTaps taps;
  for (int64_t k = 0; k < kernel; ++k) {
    if ((of_class + pad - k) % stride) continue;
    taps = {k, taps.count + 1, (of_class + pad - k) / stride};
  }
  return taps;
}

/// Of a gradient that is added up from those of patches: a filter is one value of a run.
int64_t patch_panels(const Kernels& k, const ConvGeometry& g) {
  return ceil_div(g.kernel_h * g.kernel_w * g.in_c, k.panel);
}

void pack_rows(const Kernels& k, const ConvPlan& plan, const float* w, float scale, BFloat16* packed) {
  const Windows windows = windows_of(plan, {});
  const int64_t runs = windows.runs(), run = windows.run(), panel_size = pairs_of(windows) * 2 * k.panel;
  parallel_for(ceil_div(plan.g.out_c, k.panel) * runs, panel_size, [&](int64_t i) {
    const int64_t o = i / runs * k.panel;
    k.pack_rows({w + (o * runs + i % runs) * run, runs * run, std::min<int64_t>(k.panel, plan.g.out_c - o), run, scale},
                packed + i * panel_size);
  });
}

void pack_patches(const Kernels& k, const ConvGeometry& g, const float* w, float scale, BFloat16* packed) {
  const int64_t patch = g.kernel_h * g.kernel_w * g.in_c, pairs = ceil_div(g.out_c, 2);
  parallel_for(pairs, 2 * patch, [&](int64_t i) {
    const float* const even = w + 2 * i * patch;
    k.pack_pair({even, 2 * i + 1 < g.out_c ? even + patch : nullptr, patch, scale}, packed + i * 2 * k.panel,
                pairs * 2 * k.panel);
  });
}

void pack_class(const Kernels& k, const ConvGeometry& g, const PixelClass& of, const float* w, float scale,
                BFloat16* packed) {
  const Windows windows = windows_of(g, of, {});
  const int64_t pairs = pairs_of(windows), panel_stride = windows.runs() * pairs * 2 * k.panel;
  // A value of a run is a tap's output channel; the taps are in the order of the output pixels, from the last on.
  const auto filter = [&](int64_t run, int64_t value) {
    const int64_t kh = of.down.first - run * g.stride, kw = of.along.first - value / g.out_c * g.stride;
    return w + ((value % g.out_c * g.kernel_h + kh) * g.kernel_w + kw) * g.in_c;
  };
  parallel_for(windows.runs() * pairs, 2 * g.in_c, [&](int64_t i) {
    const int64_t run = i / pairs, value = i % pairs * 2;
    k.pack_pair({filter(run, value), value + 1 < windows.run() ? filter(run, value + 1) : nullptr, g.in_c, scale},
                packed + i * 2 * k.panel, panel_stride);
  });
}

/// Of Winograd's filters, input and output as the pass has them.
WinogradFilters winograd_filters(const ConvGeometry& g, ConvPass pass, const float* w, float scale) {
  if (pass == ConvPass::grad_input) return {w, g.out_c, g.in_c, true, scale};
  return {w, g.in_c, g.out_c, false, scale};
}

}  // namespace

std::vector<PixelClass> pixel_classes(const ConvGeometry& g) {
  std::vector<PixelClass> classes;
  for (int64_t h = 0; h < std::min(g.stride, g.in_h); ++h) {
    for (int64_t w = 0; w < std::min(g.stride, g.in_w); ++w)
      classes.push_back({h, w, class_taps(h, g.kernel_h, g.stride, g.pad), class_taps(w, g.kernel_w, g.stride, g.pad)});
  }
  return classes;
}

Windows windows_of(const ConvPlan& plan, ConstView x) {
  const ConvGeometry& g = plan.g;
  const auto* values = static_cast<const BFloat16*>(x.data);
  return {
      values,  values + x.size, g.in_h, g.in_w, g.in_c,     g.batch,    g.out_h,
      g.out_w, g.stride,        -g.pad, -g.pad, g.kernel_h, g.kernel_w, plan.algorithm == ConvAlgorithm::bf16_unfolded};
}

Windows windows_of(const ConvGeometry& g, const PixelClass& of, ConstView dy) {
  const auto* values = static_cast<const BFloat16*>(dy.data);
  return {values,
          values + dy.size,
          g.out_h,
          g.out_w,
          g.out_c,
          g.batch,
          ceil_div(g.in_h - of.h, g.stride),
          ceil_div(g.in_w - of.w, g.stride),
          1,
          of.down.offset,
          of.along.offset,
          of.down.count,
          of.along.count,
          false};
}

int64_t packed_filters(const Kernels& k, const Windows& x, int64_t channels) {
  return round_up(channels, k.panel) * x.runs() * pairs_of(x) * 2;
}

int64_t packed_filters(const Kernels& k, const ConvPlan& plan, ConvPass pass) {
  const ConvGeometry& g = plan.g;
  if (plan.algorithm == ConvAlgorithm::bf16_winograd) {
    const WinogradFilters filters = winograd_filters(g, pass, nullptr, 1);
    return round_up(filters.out_c, k.winograd_panel) * 16 * filters.in_c;
  }
  if (pass == ConvPass::forward) return packed_filters(k, windows_of(plan, {}), g.out_c);
  if (plan.algorithm == ConvAlgorithm::bf16_unfolded) return patch_panels(k, g) * ceil_div(g.out_c, 2) * 2 * k.panel;
  int64_t size = 0;
  for (const PixelClass& of : pixel_classes(g)) size += packed_filters(k, windows_of(g, of, {}), g.in_c);
  return size;
}

void pack_filters(const Kernels& k, const ConvPlan& plan, ConvPass pass, const float* w, float scale,
                  BFloat16* packed) {
  const ConvGeometry& g = plan.g;
  if (plan.algorithm == ConvAlgorithm::bf16_winograd) {
    const WinogradFilters filters = winograd_filters(g, pass, w, scale);
    return parallel_for(ceil_div(filters.out_c, k.winograd_panel),
                        [&](int64_t panel) { k.winograd_filters(filters, panel, packed); });
  }
  if (pass == ConvPass::forward) return pack_rows(k, plan, w, scale, packed);
  if (plan.algorithm == ConvAlgorithm::bf16_unfolded) return pack_patches(k, g, w, scale, packed);
  for (const PixelClass& of : pixel_classes(g)) {
    pack_class(k, g, of, w, scale, packed);
    packed += packed_filters(k, windows_of(g, of, {}), g.in_c);
  }
}

}  // namespace ntq::bf16
