#include "engine/backend/cpu/bf16/direct.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/ceil_div.h"
#include "engine/backend/cpu/bf16/filters.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/patches.h"

namespace ntq::bf16 {
namespace {

using cpu::ConvAlgorithm;
using cpu::ConvPlan;
using cpu::parallel_for;

constexpr int64_t kProducts = 32;  // that take the time of one float in a simple loop, at the least
constexpr int64_t kGroup = 256;    // output channels that share what is gathered of a block of rows

/// The windows of rows [row, end), those of codes on what they see of them, widened.
class Widened {
 public:
  Widened(Backend& backend, const Kernels& k, const Windows& windows, ConstView x, int64_t row, int64_t end)
      : windows_(windows) {
    if (x.type == DType::bf16 || row >= end) return;
    const int64_t first = place(row, 0), n = std::max<int64_t>(0, place(end - 1, 1) - first);
    scratch_.emplace(backend, n + kWholeVectors, DType::bf16);
    auto* const to = static_cast<BFloat16*>(scratch_->view().data);
    k.widen(static_cast<const char*>(x.data) + first, x.type, n, to);
    windows_.x = to - first;
    windows_.x_end = to + n + kWholeVectors;
  }
  const Windows& windows() const { return windows_; }

 private:
  static constexpr int64_t kWholeVectors = 32;
  /// Where the first, or behind where the last value lies that a row sees. Of several lines all columns count.
  int64_t place(int64_t row, int64_t behind) const {
    const Windows& s = windows_;
    const int64_t line = row / s.grid_w, image = line / s.grid_h;
    const int64_t h = std::clamp<int64_t>(line % s.grid_h * s.step + s.h0 + behind * s.taps_h, 0, s.h);
    if (s.h != 1 || s.grid_h > 1) return (image * s.h + h) * s.w * s.c;
    const int64_t w = std::clamp<int64_t>(row % s.grid_w * s.step + s.w0 + behind * s.taps_w, 0, s.w);
    return (image * s.w + w) * s.c;
  }
  Windows windows_;
  std::optional<Scratch> scratch_;
};

/// Shares the rows, and the panels, among the threads.
void run_product(Backend& backend, const Kernels& k, const Product& p, ConstView x) {
  const int64_t panels = ceil_div(p.y_c, k.panel), rows = p.x.rows();
  if (panels == 0 || rows == 0) return;
  const int64_t block = k.block_rows, row_tasks = ceil_div(rows, block);
  const int64_t least = std::max(ceil_div(p.y_c, kGroup), ceil_div(16, row_tasks)), groups = std::min(panels, least);
  const int64_t per_group = ceil_div(panels, groups), values = p.x.runs() * p.x.run();
  parallel_for(row_tasks * groups, std::min(block, rows) * per_group * k.panel * values / kProducts, [&](int64_t i) {
    const int64_t row = i / groups * block, panel = i % groups * per_group, end = std::min(panels, panel + per_group);
    if (panel >= panels) return;
    const Scratch scratch(backend, k.product_scratch(p, end - panel), DType::u8);
    const int64_t row_end = std::min(rows, row + block);
    const Widened of_task(backend, k, p.x, x, row, row_end);
    Product part = p;
    part.x = of_task.windows();
    k.product(part, row, row_end, panel, end, scratch.view().data);
  });
}

/// dx of few channels.
void grad_of_patches(Backend& backend, const Kernels& k, const ConvGeometry& g, ConstView dy, const BFloat16* packed,
                     View dx) {
  const int64_t patch = g.kernel_h * g.kernel_w * g.in_c, panels = ceil_div(patch, k.panel);
  const auto* const values = static_cast<const BFloat16*>(dy.data);
  const auto of_line = [&](int64_t line, float* patches) {
    const BFloat16* const from = values + line * g.out_w * g.out_c;
    const Product p{{from, values + dy.size, 1, g.out_w, g.out_c, 1, 1, g.out_w, 1, 0, 0, 1, 1, false},
                    patches,
                    DType::f32,
                    1,
                    g.out_w,
                    patch,
                    0,
                    0,
                    1,
                    packed};
    const Scratch scratch(backend, k.product_scratch(p, panels), DType::u8);
    k.product(p, 0, g.out_w, 0, panels, scratch.view().data);
  };
  cpu::add_up_patches(backend, g, of_line, [&](int64_t at, const float* sums, int64_t n) {
    if (dx.type == DType::f32) {
      std::copy(sums, sums + n, static_cast<float*>(dx.data) + at);
    } else {
      std::transform(sums, sums + n, static_cast<BFloat16*>(dx.data) + at, to_bf16);
    }
  });
}

/// dw of few channels: the parts of the lines have sums of their own, added up in their order.
void grad_of_lines(Backend& backend, const Kernels& k, const Outer& p, int64_t most_parts, ConstView x, float* dw) {
  const Windows& s = p.x;
  const int64_t lines = s.batch * s.grid_h, patch = s.taps_h * s.taps_w * s.c, parts = std::min(most_parts, lines);
  const int64_t size = round_up(p.dy_c, k.panel) * patch;
  if (parts == 0 || s.grid_w == 0) return std::fill(dw, dw + p.dy_c * patch, 0.0f);
  const Scratch sums(backend, parts * size);
  parallel_for(parts, ceil_div(lines, parts) * s.grid_w * size / kProducts, [&](int64_t part) {
    const int64_t line = lines * part / parts, end = lines * (part + 1) / parts;
    const Scratch scratch(backend, k.outer_lines_scratch(p), DType::u8);
    const Widened of_task(backend, k, s, x, line * s.grid_w, end * s.grid_w);
    k.outer_lines({of_task.windows(), p.dy, p.dy_c}, line, end, sums.data() + part * size, scratch.view().data);
  });
  parallel_for(p.dy_c, parts * patch, [&](int64_t co) {
    for (int64_t value = 0; value < patch; ++value) {
      const float* const from = sums.data() + (co / k.panel * patch + value) * k.panel + co % k.panel;
      float total = from[0];
      for (int64_t part = 1; part < parts; ++part) total += from[part * size];
      dw[co * patch + value] = total;
    }
  });
}

}  // namespace

void conv(Backend& backend, const Kernels& k, const ConvPlan& plan, ConstView x, const BFloat16* packed, View y) {
  const ConvGeometry& g = plan.g;
  run_product(backend, k, {windows_of(plan, x), y.data, y.type, g.out_h, g.out_w, g.out_c, 0, 0, 1, packed}, x);
}

void conv_grad_input(Backend& backend, const Kernels& k, const ConvPlan& plan, ConstView dy, const BFloat16* packed,
                     View dx) {
  const ConvGeometry& g = plan.g;
  if (plan.algorithm == ConvAlgorithm::bf16_unfolded) return grad_of_patches(backend, k, g, dy, packed, dx);
  for (const PixelClass& of : pixel_classes(g)) {
    const Windows windows = windows_of(g, of, dy);
    run_product(backend, k, {windows, dx.data, dx.type, g.in_h, g.in_w, g.in_c, of.h, of.w, g.stride, packed}, dy);
    packed += packed_filters(k, windows, g.in_c);
  }
}

void conv_grad_weight(Backend& backend, const Kernels& k, const ConvPlan& plan, ConstView dy, ConstView x, float* dw) {
  const ConvGeometry& g = plan.g;
  const Outer p{windows_of(plan, x), static_cast<const BFloat16*>(dy.data), g.out_c};
  if (plan.algorithm == ConvAlgorithm::bf16_unfolded) return grad_of_lines(backend, k, p, plan.parts, x, dw);
  const int64_t rows = p.x.rows(), run = p.x.run(), run_panels = ceil_div(run, k.panel);
  const int64_t panels = p.x.runs() * run_panels, size = panels * g.out_c * k.panel;
  if (rows == 0) return std::fill(dw, dw + g.out_c * p.x.runs() * run, 0.0f);
  const int64_t part_rows = round_up(ceil_div(rows, plan.parts), 2), parts = ceil_div(rows, part_rows);
  const int64_t tasks = plan.channel_groups * plan.tap_groups;
  const Scratch sums(backend, parts * size);
  // The parts in their order, and channels of a panel back to where they belong: dw {co, runs, run}.
  const auto join = [&](int64_t panel, int64_t co, int64_t co_end) {
    const int64_t first = panel % run_panels * k.panel, n = std::min<int64_t>(k.panel, run - first);
    for (; co < co_end; ++co) {
      float* const total = sums.data() + (panel * g.out_c + co) * k.panel;
      for (int64_t part = 1; part < parts; ++part) {
        for (int64_t c = 0; c < n; ++c) total[c] += total[part * size + c];
      }
      std::memcpy(dw + (co * p.x.runs() + panel / run_panels) * run + first, total,
                  static_cast<size_t>(n) * sizeof(float));
    }
  };
  parallel_for(parts * tasks, std::min(part_rows, rows) * size / tasks / kProducts, [&](int64_t i) {
    const int64_t part = i / tasks, co = i % tasks / plan.tap_groups, tap = i % plan.tap_groups;
    const OuterRange range{std::min(rows, part * part_rows),   std::min(rows, (part + 1) * part_rows),
                           g.out_c * co / plan.channel_groups, g.out_c * (co + 1) / plan.channel_groups,
                           panels * tap / plan.tap_groups,     panels * (tap + 1) / plan.tap_groups};
    const Scratch scratch(backend, k.outer_scratch(p, range), DType::u8);
    const Widened of_task(backend, k, p.x, x, range.row, range.row_end);
    k.outer({of_task.windows(), p.dy, p.dy_c}, range, sums.data() + part * size, scratch.view().data);
    for (int64_t panel = range.panel; parts == 1 && panel < range.panel_end; ++panel)
      join(panel, range.co, range.co_end);
  });
  if (parts > 1) parallel_for(panels, parts * g.out_c * k.panel, [&](int64_t panel) { join(panel, 0, g.out_c); });
}

}  // namespace ntq::bf16
