// Filter gradient of few input channels, as of an image: the other way round than outer.cpp. What is broadcast are
// values of the images, neighbouring windows' in pairs. All taps find theirs in lines that are put in pairs once, so
// that no patches are copied; panels are of dy's channels. Of a block of lines of the grid one panel of dy stays in L1.
#include "engine/backend/cpu/bf16/kernels/gather.h"
#include "engine/backend/cpu/bf16/kernels/tile.h"

namespace ntq::bf16::NTQ_ISA {
namespace {

constexpr int64_t kPairs = 128;  // of a block, if a line is not longer

/// A line of an image with its padding, as far as the windows of all pairs see it.
struct Line {
  int64_t taps;   // values of a tap line
  int64_t step;   // values from one window to the next
  int64_t pairs;  // of windows
  int64_t values() const { return 2 * (pairs - 1) * step + taps; }
  int64_t pitch() const { return 2 * (ceil_div(values(), 2 * kWidth) * 2 * kWidth + kSlack); }
  int64_t plain() const { return pitch() / 2 + step; }
};
Line line_of(const Windows& s) { return {s.taps_w * s.c, s.step * s.c, (s.grid_w + 1) / 2}; }
int64_t block_lines(const Line& l) { return l.pairs < kPairs ? kPairs / l.pairs : 1; }

struct Memory {
  int64_t x, plain, zeros, bytes;  // behind a panel of dy
};
Memory memory_of(const Outer& p) {
  constexpr int64_t kSize = sizeof(BFloat16);
  const Line l = line_of(p.x);
  const int64_t lines = block_lines(l);
  Memory m{};
  m.x = lines * l.pairs * 2 * kPanel * kSize;
  m.plain = m.x + ((lines - 1) * p.x.step + p.x.taps_h) * l.pitch() * kSize;
  m.zeros = m.plain + l.plain() * kSize;
  m.bytes = m.zeros + (p.dy_c + kSlack) * kSize;
  return m;
}
int64_t outer_lines_scratch(const Outer& p) { return memory_of(p).bytes; }

/// Line h of an image, or zeros, to pairs of values a window apart. `plain`: where it is copied first.
void pair_line(const Windows& s, const Line& l, int64_t image, int64_t h, BFloat16* plain, BFloat16* to) {
  const int64_t width = s.w * s.c, begin = s.w0 * s.c, n = l.values() + l.step;
  if (h < 0 || h >= s.h) {
    __builtin_memset(to, 0, static_cast<size_t>(l.pitch()) * sizeof *to);
    return;
  }
  const Cut cut = cut_of(begin, n, width);
  __builtin_memset(plain, 0, static_cast<size_t>(l.plain()) * sizeof *plain);
  if (cut.right > cut.left)
    __builtin_memcpy(plain + cut.left, s.x + (image * s.h + h) * width + begin + cut.left,
                     static_cast<size_t>(cut.right - cut.left) * sizeof *plain);
  interleave({plain, plain}, plain, plain + l.step, l.values(), to);
}

/// A panel of dy's channels of lines [line, line + lines), {lines, pairs, kPanel, 2}.
void interleave_dy(const Outer& p, int64_t pairs, int64_t line, int64_t lines, int64_t channel, const BFloat16* zeros,
                   BFloat16* to) {
  const Extent extent{p.dy, p.dy + p.x.rows() * p.dy_c};
  const BFloat16* from = p.dy + line * p.x.grid_w * p.dy_c + channel;
  for (int64_t l = 0; l < lines; ++l, from += p.x.grid_w * p.dy_c) {
    for (int64_t i = 0; i < pairs; ++i, to += 2 * kPanel) {
      const BFloat16* const first = from + 2 * i * p.dy_c;
      interleave(extent, first, 2 * i + 1 < p.x.grid_w ? first + p.dy_c : zeros, least(kPanel, p.dy_c - channel), to);
    }
  }
}

/// sums {M, kPanel} of values x, `step` on for the next pair and `line_step` for the next line, times dy's panel; plus
/// what they were, unless it is the first block.
template <int M, int V>
void tile(int64_t lines, int64_t pairs, const BFloat16* x, int64_t step, int64_t line_step, const BFloat16* dy,
          bool first, float* sums) {
  Tile<M, V> tile;
  if (first) {
    tile.clear();
  } else {
    tile.load_rows(sums);
  }
  for (int64_t l = 0; l < lines; ++l, x += line_step) {
    const BFloat16* at = x;
    for (int64_t i = 0; i < pairs; ++i, at += step, dy += 2 * kPanel)
      tile.add(
          [&](auto m) __attribute__((always_inline)) { return at + 2 * m.value; }, dy);
  }
  tile.store_rows(sums);
}

void outer_lines(const Outer& p, int64_t line, int64_t line_end, float* sums, void* memory) {
  char* const scratch = static_cast<char*>(memory);
  const Windows& s = p.x;
  const Line l = line_of(s);
  const Memory m = memory_of(p);
  auto* const dy = reinterpret_cast<BFloat16*>(scratch);
  auto* const x = reinterpret_cast<BFloat16*>(scratch + m.x);
  auto* const plain = reinterpret_cast<BFloat16*>(scratch + m.plain);
  __builtin_memset(scratch + m.zeros, 0, static_cast<size_t>(m.bytes - m.zeros));
  const auto* const zeros = reinterpret_cast<const BFloat16*>(scratch + m.zeros);
  const int64_t tiles = ceil_div(l.taps, kTile);

  bool first = true;
  for (int64_t lines; line < line_end; line += lines, first = false) {
    const int64_t image = line / s.grid_h, row = line % s.grid_h;
    lines = least(block_lines(l), least(line_end - line, s.grid_h - row));
    for (int64_t i = 0; i < (lines - 1) * s.step + s.taps_h; ++i)
      pair_line(s, l, image, row * s.step + s.h0 + i, plain, x + i * l.pitch());
    for (int64_t channel = 0; channel < p.dy_c; channel += kPanel) {
      interleave_dy(p, l.pairs, line, lines, channel, zeros, dy);
      for (int64_t t = 0; t < s.taps_h; ++t) {
        for (int64_t k = 0; k < tiles; ++k) {
          const int64_t value = l.taps * k / tiles, count = l.taps * (k + 1) / tiles - value;
          with_tile(count, least(kPanel, p.dy_c - channel), [&](auto rows, auto vecs) {
            tile<rows.value, vecs.value>(lines, l.pairs, x + t * l.pitch() + 2 * value, 4 * l.step, s.step * l.pitch(),
                                         dy, first,
                                         sums + (channel / kPanel * s.taps_h + t) * l.taps * kPanel + value * kPanel);
          });
        }
      }
    }
  }
}

}  // namespace

void fill_outer_lines(Kernels& t) {
  t.outer_lines = outer_lines;
  t.outer_lines_scratch = outer_lines_scratch;
}

}  // namespace ntq::bf16::NTQ_ISA
