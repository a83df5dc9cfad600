// The float32 end of every sum: single operations in the order of Epilogue.
#include "base/integer/kernels/epilogue.h"

#include "base/integer/kernels/floats.h"
#include "base/integer/kernels/kernels.h"

namespace ntq::integer::NTQ_ISA {
namespace {

/// A grid as vectors. Clamping y is as good as clamping y / step: the quotient of fl(code * step) and step rounds to
/// that code.
struct Grid {
  Floats step, low, high;

  explicit Grid(const CodeGrid& grid, bool relu = false)
      : step(splat_float(grid.step)),
        low(splat_float(lowest(grid, relu))),
        high(splat_float(static_cast<float>(grid.high) * grid.step)) {}

  [[gnu::always_inline]] Ints codes(Floats v) const { return rounded(smaller(larger(v, low), high) / step); }
  [[gnu::always_inline]] Floats values(Floats v) const { return to_floats(codes(v)) * step; }

 private:
  static float lowest(const CodeGrid& grid, bool relu) {
    const float code = static_cast<float>(grid.low) * grid.step;
    return relu && code < 0 ? 0 : code;
  }
};

/// An epilogue with what it needs of its grids. kAny: it may quantize before and after, and what else it does is
/// decided as it runs, which costs little beside that.
template <bool kSkip, bool kFloats, bool kCodes, bool kAny = false>
struct End {
  const float* skip;
  float* y;
  uint8_t* codes;
  bool has_before, relu, has_after, has_zero;
  Grid before, after, grid;
  Ints zero;

  explicit End(const Epilogue& e)
      : skip(e.skip),
        y(e.y),
        codes(e.codes),
        has_before(e.before != nullptr),
        relu(e.relu && kFloats),  // codes alone: the grid's lowest value is the ReLU
        has_after(e.after != nullptr),
        has_zero(e.grid.zero != 0),
        before(has_before ? *e.before : CodeGrid()),
        after(has_after ? *e.after : CodeGrid()),
        grid(e.grid, e.relu),
        zero(splat(e.grid.zero)) {}

  /// v at element `at` of the output.
  [[gnu::always_inline]] void whole(Floats v, int64_t at) const {
    if (kAny && has_before) v = before.values(v);
    if (kSkip && (!kAny || skip != nullptr)) v += load_floats(skip + at);
    v = stored(v);
    if (kFloats && (!kAny || y != nullptr)) store_floats(y + at, v);
    if (kCodes && (!kAny || codes != nullptr)) store_bytes(codes + at, bytes(v));
  }
  /// Its first n lanes.
  [[gnu::always_inline]] void part(Floats v, int64_t at, int64_t n) const {
    if (kAny && has_before) v = before.values(v);
    if (kSkip && (!kAny || skip != nullptr)) {
      for (int64_t i = 0; i < n; ++i) v[i] += skip[at + i];
    }
    v = stored(v);
    if (kFloats && (!kAny || y != nullptr)) {
      for (int64_t i = 0; i < n; ++i) y[at + i] = v[i];
    }
    if (kCodes && (!kAny || codes != nullptr)) store_bytes(codes + at, bytes(v), n);
  }

 private:
  [[gnu::always_inline]] Floats stored(Floats v) const {
    if (relu) v = larger(v, Floats{});
    return kAny && has_after ? after.values(v) : v;
  }
  [[gnu::always_inline]] Ints bytes(Floats v) const {
    const Ints codes_of = grid.codes(v);
    return has_zero ? codes_of + zero : codes_of;
  }
};

/// Of bfloat16 alone.
struct HalvesEnd {
  uint16_t* y;
  explicit HalvesEnd(const Epilogue& e) : y(e.halves) {}
  [[gnu::always_inline]] void whole(Floats v, int64_t at) const {
    const Halves halves = halves_of(v);
    __builtin_memcpy(y + at, &halves, sizeof halves);
  }
  [[gnu::always_inline]] void part(Floats v, int64_t at, int64_t n) const {
    const Halves halves = halves_of(v);
    for (int64_t i = 0; i < n; ++i) y[at + i] = halves[i];
  }
};

/// op(Type<End>) for what `e` does.
template <bool... kFlags, class Op>
[[gnu::always_inline]] inline auto with_end(const Epilogue& e, const Op& op) {
  if (sizeof...(kFlags) == 0 && e.halves != nullptr) return op(Type<HalvesEnd>{});
  if constexpr (sizeof...(kFlags) == 3) {
    return op(Type<End<kFlags...>>{});
  } else if (sizeof...(kFlags) == 0 && (e.before != nullptr || e.after != nullptr)) {
    return op(Type<End<true, true, true, true>>{});
  } else {
    const void* const wanted[] = {e.skip, e.y, e.codes};
    return wanted[sizeof...(kFlags)] != nullptr ? with_end<kFlags..., true>(e, op) : with_end<kFlags..., false>(e, op);
  }
}

template <SumsAre kSums>
[[gnu::always_inline]] inline Floats as_floats(Ints sum) {
  if constexpr (kSums == SumsAre::floats) return reinterpret_cast<Floats>(sum);
  return to_floats(kSums == SumsAre::four_times ? sum >> 2 : sum);
}

/// All of a tile: pixel by pixel where the panel is whole, else vector by vector of channels.
template <class AnEnd, SumsAre kSums, bool kWindows>
void finish_tile(const TileEnd& tile, const int32_t* sums, const int64_t* pixels, int64_t count) {
  constexpr int kVecs = kPanel / kInts;
  const AnEnd end(*tile.e);
  const int64_t pitch = tile.channels, first = tile.at, left = pitch - first;
  const float *const scales = tile.scale + first, *const shifts = tile.shift + first;
  const int32_t* const windows = tile.window_sums;
  const auto value = [windows](Ints sum, int64_t pixel) {
    if constexpr (!kWindows) return as_floats<kSums>(sum);
    sum = kSums == SumsAre::four_times ? sum >> 2 : sum;
    return to_floats(sum + sum + splat(windows[pixel]));  // counts of halves
  };
  if (kVecs <= 4 && left >= kPanel) {  // more have no registers for their scales
    Floats scale[kVecs], shift[kVecs];
    unrolled<kVecs>([&](auto v) {
      scale[v] = load_floats(scales + v * kInts);
      shift[v] = load_floats(shifts + v * kInts);
    });
    for (int64_t i = 0; i < count; ++i, sums += kPanel) {
      if (pixels[i] < 0) continue;
      const int64_t at = pixels[i] * pitch + first;
      unrolled<kVecs>(
          [&](auto v) { end.whole(value(load(sums + v * kInts), pixels[i]) * scale[v] + shift[v], at + v * kInts); });
    }
    return;
  }
  for (int64_t c = 0; c < left && c < kPanel; c += kInts) {
    const Floats scale = load_floats(scales + c), shift = load_floats(shifts + c);
    for (int64_t i = 0; i < count; ++i) {
      if (pixels[i] < 0) continue;
      const int64_t at = pixels[i] * pitch + first + c;
      const Floats v = value(load(sums + i * kPanel + c), pixels[i]) * scale + shift;
      left - c >= kInts ? end.whole(v, at) : end.part(v, at, left - c);
    }
  }
}

}  // namespace

FinishTile* finish_of(const Epilogue& e, SumsAre sums, bool windows) {
  return with_end(e, [=](auto end) -> FinishTile* {
    using AnEnd = typename decltype(end)::Is;
    if (sums == SumsAre::floats) return finish_tile<AnEnd, SumsAre::floats, false>;
    if (sums == SumsAre::codes)
      return windows ? finish_tile<AnEnd, SumsAre::codes, true> : finish_tile<AnEnd, SumsAre::codes, false>;
    return windows ? finish_tile<AnEnd, SumsAre::four_times, true> : finish_tile<AnEnd, SumsAre::four_times, false>;
  });
}

void pointwise(const float* x, int64_t pixels, int64_t channels, const Epilogue& e) {
  if (e.scale == nullptr) channels *= pixels, pixels = 1;  // nothing differs from channel to channel
  const auto value = [&](const float* v, const float* scale, const float* shift, int64_t c) {
    return scale == nullptr ? load_floats(v) : load_floats(v) * load_floats(scale + c) + load_floats(shift + c);
  };
  with_end(e, [&](auto type) {
    const typename decltype(type)::Is end(e);
    for (int64_t i = 0; i < pixels; ++i) {
      int64_t at = i * channels, c = 0;
      for (; c + kInts <= channels; c += kInts, at += kInts) end.whole(value(x + at, e.scale, e.shift, c), at);
      if (c == channels) continue;
      float rest[3][kInts] = {};
      for (int64_t k = c; k < channels; ++k) {
        rest[0][k - c] = x[i * channels + k];
        if (e.scale != nullptr) rest[1][k - c] = e.scale[k], rest[2][k - c] = e.shift[k];
      }
      end.part(value(rest[0], e.scale == nullptr ? nullptr : rest[1], rest[2], 0), at, channels - c);
    }
  });
}

}  // namespace ntq::integer::NTQ_ISA
