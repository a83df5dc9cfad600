// The gradient of batch norm and of what is fused behind it: sums over all rows first, which it needs for any.
#include "engine/backend/cpu/kernels/norm.h"
#include "engine/backend/cpu/kernels/uniform.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

/// What lies behind a norm: nothing; a ReLU, seen in y or in what y is made of; a quantizer; one beside other readers
/// of y.
enum class Behind { nothing, relu_of_y, relu, quantizer, quantizer_of_y };

template <class T>
Behind behind(const NormInputs<T>& a, const UniformSteps* steps) {
  if (a.y) return steps ? Behind::quantizer_of_y : Behind::relu_of_y;
  return steps ? Behind::quantizer : a.relu ? Behind::relu : Behind::nothing;
}

/// The gradient of the normalised and shifted value.
template <class T, class S, Behind kBehind>
struct Gradients : Values<T, S> {
  const T *dy, *y, *dy_codes;
  Uniform q;

  Gradients(const NormInputs<T>& a, const UniformSteps* steps, S s)
      : Values<T, S>(a, s), dy(a.dy), y(a.y), dy_codes(a.dy_codes), q(steps ? *steps : UniformSteps{}) {}
  /// Where g passes, to which that of all readers is added. With a quantizer, `of_step` becomes the terms of its step's
  /// gradient.
  VecI passes(Vec centred, Vec& g, int64_t at, int i, Vec& of_step) const {
    const int64_t lanes = this->strip.lanes();
    if (kBehind == Behind::relu_of_y) return get(y + at, lanes) > Vec{};
    if (kBehind == Behind::quantizer_of_y) {
      const Vec of_y = get(y + at, lanes);
      // As sums of gradients are where they are not part of this.
      g = as_stored<T>(g + q.gradient(of_y, get(dy_codes + at, lanes), of_step));
      return this->relu ? of_y > Vec{} : Vec{} == Vec{};
    }
    const Vec v = this->value(centred, at, i);
    if (kBehind == Behind::relu) return v > Vec{};
    const VecI inside = q.passes(v, g, of_step);
    return this->relu ? inside & (v > Vec{}) : inside;
  }
};

template <Behind kBehind, class T>
void sums_of(const NormInputs<T>& a, const UniformSteps* steps, int64_t begin, int64_t end, const NormSums& to,
             T* d_residual) {
  constexpr bool kSteps = kBehind == Behind::quantizer || kBehind == Behind::quantizer_of_y;
  const int64_t channels = a.channels, vectors = (channels + kWidth - 1) / kWidth;
  // Even and odd rows have sums of their own.
  float* const sums[2] = {to.sums, to.sums + 2 * channels};
  each_vec(4 * channels, [&](int64_t i, int64_t l) { put(to.sums + i, Vec{}, l); });
  // The terms of a step's gradient are summed row by row: where strips are not whole rows, out of a block of terms.
  float terms[kSteps ? kLaneRun : 1];
  const bool at_once = channels <= kWidth || channels == 2 * kWidth || channels == kStrip * kWidth || to.step_rows == 1;
  LaneSums of_step;
  float* step_sums = to.step;
  const int64_t together = kSteps ? to.step_rows : end - begin;
  for (int64_t r = begin; r < end; r += together) {
    const int64_t stop = r + together < end ? r + together : end;
    const int first = static_cast<int>((r - begin) & 1);
    each_strip(channels, [&, passed = to.passed, d_residual](auto s) {
      constexpr int kVecs = decltype(s)::kVecs;
      const Gradients<T, decltype(s), kBehind> gradients(a, steps, s);
      Vec dy[2][kVecs], dy_x[2][kVecs];
      for (int j = 0; j < 2; ++j) {
        for (int i = 0; i < kVecs; ++i) {
          dy[j][i] = get(sums[first ^ j] + s.at(i), s.lanes());
          dy_x[j][i] = get(sums[first ^ j] + channels + s.at(i), s.lanes());
        }
      }
      LaneSums lanes = of_step;
      const auto take_row = [&, channels, passed, vectors, d_residual, from = gradients.dy, begins = r *
                             channels ](int64_t row, auto j) __attribute__((always_inline)) {
        each_of<kVecs>([&, channels, passed, vectors, d_residual, from, row ](auto i) __attribute__((always_inline)) {
          const int64_t at = row * channels + s.at(i);
          const Vec centred = gradients.centred(at, i);
          Vec g = get(from + at, s.lanes());
          if (kBehind != Behind::nothing) {
            Vec of_lanes = {};
            const VecI passes = gradients.passes(centred, g, at, i, of_lanes);
            if (kSteps && at_once) lanes.add(s.at(i), of_lanes);
            if (kSteps && !at_once) put(terms + (at - begins), of_lanes, s.lanes());
            g = select(passes, g, Vec{});
            if (passed) passed[row * vectors + s.c / kWidth + i] = bits_of(passes);
          }
          if (d_residual) put_exact(d_residual + at, g, s.lanes());
          dy[j][i] += g;
          dy_x[j][i] += g * centred;
        });
      };
      int64_t row = r;
      for (; row + 2 <= stop; row += 2) take_row(row, Index<0>()), take_row(row + 1, Index<1>());
      if (row < stop) take_row(row, Index<0>());
      of_step = lanes;
      for (int j = 0; j < 2; ++j) {
        for (int i = 0; i < kVecs; ++i) {
          put(sums[first ^ j] + s.at(i), dy[j][i], s.lanes());
          put(sums[first ^ j] + channels + s.at(i), dy_x[j][i], s.lanes());
        }
      }
    });
    if (!kSteps) continue;
    for (int64_t row = r; !at_once && row < stop; ++row) {
      each_vec(channels, [&](int64_t c, int64_t l) { of_step.add(c, get(terms + (row - r) * channels + c, l)); });
    }
    of_step.take(step_sums);
    step_sums += kLaneSums;
  }
  each_vec(channels, [&](int64_t c, int64_t l) {
    put(to.sums + c, get(sums[0] + c, l) + get(sums[1] + c, l), l);
    const int64_t x = channels + c;
    put(to.sums + x, (get(sums[0] + x, l) + get(sums[1] + x, l)) * get(a.inv_std + c, l), l);
  });
}

template <class T>
void norm_grad_sums(const NormInputs<T>& a, const UniformSteps* steps, int64_t begin, int64_t end, const NormSums& to,
                    T* d_residual) {
  switch (behind(a, steps)) {
    case Behind::nothing: return sums_of<Behind::nothing>(a, steps, begin, end, to, d_residual);
    case Behind::relu_of_y: return sums_of<Behind::relu_of_y>(a, steps, begin, end, to, d_residual);
    case Behind::relu: return sums_of<Behind::relu>(a, steps, begin, end, to, d_residual);
    case Behind::quantizer: return sums_of<Behind::quantizer>(a, steps, begin, end, to, d_residual);
    case Behind::quantizer_of_y: return sums_of<Behind::quantizer_of_y>(a, steps, begin, end, to, d_residual);
  }
}

template <class T>
void norm_grad_apply(const NormInputs<T>& a, const uint16_t* passed, int64_t begin, int64_t end, const float* mean_dy,
                     const float* mean_dy_x, T* dx) {
  const int64_t channels = a.channels, vectors = (channels + kWidth - 1) / kWidth;
  each_strip(channels, [&, dy = a.dy, x = a.x, dx, passed](auto s) {
    constexpr int kVecs = decltype(s)::kVecs;
    Vec mean[kVecs], inv[kVecs], scale[kVecs], of_dy[kVecs], of_dy_x[kVecs];
    for (int i = 0; i < kVecs; ++i) {
      mean[i] = get(a.mean + s.at(i), s.lanes());
      inv[i] = get(a.inv_std + s.at(i), s.lanes());
      scale[i] = get(a.gamma + s.at(i), s.lanes()) * inv[i];
      of_dy[i] = get(mean_dy + s.at(i), s.lanes());
      of_dy_x[i] = get(mean_dy_x + s.at(i), s.lanes());
    }
    for (int64_t row = begin; row < end; ++row) {
      each_of<kVecs>([&](auto i) __attribute__((always_inline)) {
        const int64_t at = row * channels + s.at(i);
        const Vec xhat = (get(x + at, s.lanes()) - mean[i]) * inv[i];
        Vec g = get(dy + at, s.lanes());
        if (passed) g = select(lanes_of(passed[row * vectors + s.c / kWidth + i]), g, Vec{});
        put(dx + at, (g - of_dy[i] - xhat * of_dy_x[i]) * scale[i], s.lanes());
      });
    }
  });
}

void join_sums(const float* parts, int64_t count, int64_t stride, int64_t begin, int64_t end, double* sums) {
  for (int64_t c = begin; c < end; c += kColumns) {
    const int64_t columns = end - c < kColumns ? end - c : kColumns;
    double total[kColumns] = {};
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < columns; ++j) total[j] += static_cast<double>(parts[i * stride + c + j]);
    }
    for (int64_t j = 0; j < columns; ++j) sums[c + j] = total[j];
  }
}

template <class T>
void fill_stored(StoredKernels<T>& t) {
  t.norm_grad_sums = norm_grad_sums<T>;
  t.norm_grad_apply = norm_grad_apply<T>;
}

}  // namespace

void fill_norm_grad(Kernels& t) {
  fill_stored(t.f32);
  fill_stored(t.bf16);
  t.join_sums = join_sums;
}

}  // namespace ntq::cpu::NTQ_ISA
