// Max pooling, a vector of channels at a time.
#include "engine/backend/cpu/kernels/each_vec.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

inline VecI whole(int64_t value) { return VecI{} + static_cast<int32_t>(value); }

/// Runs op(pixel) in their order.
template <class Op>
inline void each_pixel(const PixelBlock& block, Op op) {
  for (int64_t h = 0; h < block.rows; ++h) {
    for (int64_t w = 0; w < block.columns; ++w) op(block.first + h * block.width + w);
  }
}

template <class T>
void max_window(const T* x, const PixelBlock& window, int64_t channels, T* y, int32_t* index) {
  each_vec(channels, [&](int64_t c, int64_t l) {
    Vec best = get(x + window.first * channels + c, l);
    VecI at = whole(window.first);
    each_pixel(window, [&](int64_t pixel) {
      const Vec v = get(x + pixel * channels + c, l);
      const VecI better = (v > best) | (v != v);
      best = select(better, v, best);
      at = (better & whole(pixel)) | (~better & at);
    });
    put(y + c, best, l);
    __builtin_memcpy(index + c, &at, static_cast<size_t>(l) * sizeof *index);
  });
}

template <class T>
void max_window_grad(const T* dy, const int32_t* index, const PixelBlock& windows, int64_t pixel, int64_t channels,
                     T* dx) {
  each_vec(channels, [&](int64_t c, int64_t l) {
    Vec sum = {};
    each_pixel(windows, [&](int64_t window) {
      VecI at = {};
      __builtin_memcpy(&at, index + window * channels + c, static_cast<size_t>(l) * sizeof *index);
      sum += select(at == whole(pixel), get(dy + window * channels + c, l), Vec{});
    });
    put(dx + c, sum, l);
  });
}

template <class T>
void fill_stored(StoredKernels<T>& t) {
  t.max_window = max_window<T>;
  t.max_window_grad = max_window_grad<T>;
}

}  // namespace

void fill_pool(Kernels& t) {
  fill_stored(t.f32);
  fill_stored(t.bf16);
}

}  // namespace ntq::cpu::NTQ_ISA
