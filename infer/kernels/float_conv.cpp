#include "infer/kernels/kernels.h"

namespace ntq::infer::NTQ_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kFloats = 16;
#elif defined(__AVX2__)
constexpr int kFloats = 8;
#else
constexpr int kFloats = 4;
#endif
typedef float Floats __attribute__((vector_size(kFloats * 4)));
constexpr int kVectors = kFloatPanel / kFloats;
constexpr int kPixels = kVectors == 1   ? 12
                        : kVectors == 2 ? 6
                                        : 2;  // accumulators and a weight's vectors fit the registers

inline Floats load(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

/// Where a tile of pixels in one row of the output stands: all of them have the same taps inside.
struct Tile {
  const float* x;  // the first inside tap's of the first pixel
  const float* weights;
  int64_t rows, columns, pixel_step;  // taps inside; floats between two pixels' inputs
};

template <int kCount>
void sums(const FloatConv& c, const Tile& t, float* out) {
  Floats acc[kCount][kVectors] = {};
  const int64_t in_c = c.shape.in_c, row_step = c.shape.in_w * in_c, tap_weights = c.channels * kFloatPanel;
  for (int64_t ky = 0; ky < t.rows; ++ky) {
    const float* x_row = t.x + ky * row_step;
    const float* w = t.weights + ky * c.shape.kernel_w * tap_weights;
    for (int64_t kx = 0; kx < t.columns; ++kx) {
      for (int64_t i = 0; i < c.channels; ++i, w += kFloatPanel) {
        Floats weight[kVectors];
        for (int v = 0; v < kVectors; ++v) weight[v] = load(w + v * kFloats);
        for (int p = 0; p < kCount; ++p) {
          const float value = x_row[p * t.pixel_step + kx * in_c + i];
          for (int v = 0; v < kVectors; ++v) acc[p][v] = acc[p][v] + value * weight[v];
        }
      }
    }
  }
  __builtin_memcpy(out, acc, sizeof acc);
}

void tile(const FloatConv& c, const Tile& t, int64_t pixels, const float* shift, int64_t panel, float* y) {
  float out[kPixels * kFloatPanel];
  if (pixels == kPixels) {
    sums<kPixels>(c, t, out);
  } else {
    Tile one = t;
    for (int64_t p = 0; p < pixels; ++p, one.x += t.pixel_step) sums<1>(c, one, out + p * kFloatPanel);
  }
  const int64_t first = panel * kFloatPanel, left = c.shape.out_c - first;
  const int64_t channels = left < kFloatPanel ? left : kFloatPanel;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t i = 0; i < channels; ++i) {
      y[p * c.shape.out_c + first + i] = out[p * kFloatPanel + i] * c.scale[first + i] + shift[first + i];
    }
  }
}

/// One row of the output, of a panel's channels.
void row(const FloatConv& c, int64_t image, int64_t at, int64_t panel) {
  const integer::ConvShape& s = c.shape;
  const integer::Axis rows = s.rows(), columns = s.columns();
  int64_t row_run = 0;
  for (int64_t r = integer::run_at(rows, 0).end; r <= at; r = integer::run_at(rows, r).end) ++row_run;
  const int64_t first_row = integer::first_tap(rows, at), rows_inside = integer::last_tap(rows, at) - first_row;
  const int64_t column_runs = c.by_taps ? integer::run_count(columns) : 0;
  const int64_t out_channels = (s.out_c + integer::kPanel - 1) / integer::kPanel * integer::kPanel;
  const int64_t in_row = at * s.stride - s.pad + first_row;
  float* const y = c.y + (image * s.out_h + at) * s.out_w * s.out_c;
  int64_t column_run = 0;
  for (int64_t begin = 0; begin < s.out_w; ++column_run) {
    const integer::TapRun run = integer::run_at(columns, begin);
    const float* shift = c.shift + (c.by_taps ? (row_run * column_runs + column_run) * out_channels : 0);
    const int64_t first_tap = (panel * s.kernel_h + first_row) * s.kernel_w + run.first;
    for (int64_t p = begin; p < run.end; p += kPixels) {
      const int64_t in_column = p * s.stride - s.pad + run.first;
      const Tile t = {c.x + ((image * s.in_h + in_row) * s.in_w + in_column) * s.in_c,
                      c.weights + first_tap * c.channels * kFloatPanel, rows_inside, run.last - run.first,
                      s.stride * s.in_c};
      tile(c, t, run.end - p < kPixels ? run.end - p : kPixels, shift, panel, y + p * s.out_c);
    }
    begin = run.end;
  }
}

/// A panel's weights stay in the cache for all rows.
void float_conv(const FloatConv& c, int64_t row_begin, int64_t row_end) {
  for (int64_t panel = 0; panel * kFloatPanel < c.shape.out_c; ++panel) {
    for (int64_t r = row_begin; r < row_end; ++r) row(c, r / c.shape.out_h, r % c.shape.out_h, panel);
  }
}

}  // namespace

const Kernels& kernels() {
  static constexpr Kernels table = {float_conv};
  return table;
}

}  // namespace ntq::infer::NTQ_ISA
