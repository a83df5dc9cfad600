// Elementwise functions, broadcasts and folds.
#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/in_float32.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/stored.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

/// So many rows of `size` elements to a task.
int64_t rows_of_task(int64_t size) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(size, 1)); }

/// kernel(inputs..., to, n) on pieces of y and of inputs of its size, all stored as T.
template <class T, class Kernel, class... Inputs>
void each_piece(int64_t work, View y, const Kernel& kernel, Inputs... inputs) {
  const auto run = [&](T* to, const auto*... from) {
    parallel_ranges(y.size, kGrain, work, [=](int64_t i, int64_t e) { kernel(from + i..., to + i, e - i); });
  };
  run(values<T>(y, y.size), values<T>(inputs, y.size)...);
}

using In = const float*;
using Out = float*;
using In16 = const BFloat16*;
using Out16 = BFloat16*;

constexpr int64_t kBlock = 2048;  // stays in the first cache

/// A kernel of float32, for bfloat16.
template <class Kernel>
auto in_blocks(const Kernels& k, Kernel kernel) {
  return [&k, kernel](In16 x, Out16 to, int64_t n) {
    float block[kBlock];
    for (int64_t at = 0; at < n; at += kBlock) {
      const int64_t count = std::min(kBlock, n - at);
      k.widen(x + at, block, count);
      kernel(block, block, count);
      k.narrow(block, to + at, count);
    }
  };
}
template <class Kernel>
auto in_blocks_of_two(const Kernels& k, Kernel kernel) {
  return [&k, kernel](In16 a, In16 b, Out16 to, int64_t n) {
    float left[kBlock], right[kBlock];
    for (int64_t at = 0; at < n; at += kBlock) {
      const int64_t count = std::min(kBlock, n - at);
      k.widen(a + at, left, count);
      k.widen(b + at, right, count);
      kernel(left, right, left, count);
      k.narrow(left, to + at, count);
    }
  };
}

/// y = kernel(x) of either type.
template <class Kernel>
void of_one(const Kernels& k, int64_t work, ConstView x, View y, const Kernel& kernel) {
  if (y.type == DType::bf16) return each_piece<BFloat16>(work, y, in_blocks(k, kernel), x);
  each_piece<float>(work, y, kernel, x);
}

}  // namespace

void CpuBackend::fill(float value, View y) {
  if (y.type == DType::bf16)
    return each_piece<BFloat16>(1, y, [v = to_bf16(value)](Out16 to, int64_t n) { std::fill(to, to + n, v); });
  each_piece<float>(1, y, [=](Out to, int64_t n) { std::fill(to, to + n, value); });
}
void CpuBackend::cast(ConstView x, View y) {
  if (x.type == y.type) {
    copy(y.data, x.data, static_cast<size_t>(y.size) * dtype_size(y.type), CopyKind::on_device);
  } else if (y.type == DType::f32) {
    const BFloat16* const from = values<BFloat16>(x, y.size);
    float* const to = values(y, y.size);
    parallel_ranges(y.size, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.widen(from + i, to + i, e - i); });
  } else {
    const float* const from = values(x, y.size);
    BFloat16* const to = values<BFloat16>(y, y.size);
    parallel_ranges(y.size, kGrain, 1, [=, this](int64_t i, int64_t e) { k_.narrow(from + i, to + i, e - i); });
  }
}
void CpuBackend::unary(Unary op, ConstView x, View y) {
  of_one(k_, 4, x, y, [=, this](In a, Out to, int64_t n) { k_.unary(op, a, to, n); });
}
void CpuBackend::scale(float alpha, ConstView x, View y) {
  of_one(k_, 1, x, y, [=, this](In a, Out to, int64_t n) { k_.scale(a, alpha, to, n); });
}
void CpuBackend::axpy(float alpha, ConstView x, View y) {
  with_stored(k_, y.type, [&]<class T>(const StoredKernels<T>& k) {
    each_piece<T>(
        1, y, [&k, alpha](const T* a, T* to, int64_t n) { k.axpy(alpha, a, to, n); }, x);
  });
}
void CpuBackend::relu(ConstView x, View y) {
  with_stored(k_, y.type, [&]<class T>(const StoredKernels<T>& k) { each_piece<T>(1, y, k.relu, x); });
}
void CpuBackend::relu_grad(ConstView y, ConstView dy, View dx) {
  with_stored(k_, dx.type, [&]<class T>(const StoredKernels<T>& k) { each_piece<T>(1, dx, k.relu_grad, y, dy); });
}
void CpuBackend::binary(Binary op, ConstView a, ConstView b, View y) {
  const auto kernel = [=, this](In l, In r, Out to, int64_t n) { k_.binary(op, l, r, to, n); };
  if (y.type == DType::bf16) return each_piece<BFloat16>(1, y, in_blocks_of_two(k_, kernel), a, b);
  each_piece<float>(1, y, kernel, a, b);
}
void CpuBackend::where(ConstView condition, ConstView a, ConstView b, View y) {
  InFloat32 wide(*this);
  const float *const c = wide.in(condition, y.size), *const left = wide.in(a, y.size),
                     *const right = wide.in(b, y.size);
  float* const to = wide.out(y, y.size);
  parallel_ranges(y.size, kGrain, 1,
                  [=, this](int64_t i, int64_t e) { k_.where(c + i, left + i, right + i, to + i, e - i); });
  wide.finish();
}

void CpuBackend::binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) {
  const auto [outer, axis, inner] = args.split;
  InFloat32 wide(*this);
  const float *const large = wide.in(a, args.split.numel()), *const small = wide.in(b, axis);
  float* const out = wide.out(y, args.split.numel());
  const Binary op = args.op;
  const bool b_first = args.b_first;
  if (axis == 1) {
    parallel_ranges(outer * inner, kGrain, 1, [=, this](int64_t i, int64_t e) {
      k_.binary_scalar(op, large + i, *small, b_first, out + i, e - i);
    });
  } else if (inner == 1) {
    parallel_ranges(outer, rows_of_task(axis), axis, [=, this, size = axis](int64_t begin, int64_t end) {
      for (int64_t at = begin * size; at < end * size; at += size) {
        k_.binary(op, b_first ? small : large + at, b_first ? large + at : small, out + at, size);
      }
    });
  } else {
    parallel_ranges(outer * axis, rows_of_task(inner), inner,
                    [=, this, count = axis, size = inner](int64_t begin, int64_t end) {
                      for (int64_t i = begin; i < end; ++i) {
                        k_.binary_scalar(op, large + i * size, small[i % count], b_first, out + i * size, size);
                      }
                    });
  }
  wide.finish();
}

void CpuBackend::fold(Fold op, const AxisSplit& split, ConstView x, View y) {
  InFloat32 wide(*this);
  const float* const in = wide.in(x, split.numel());
  float* const out = wide.out(y, split.outer * split.inner);
  if (const int64_t parts = split.axis / kGrain; op != Fold::sum && y.size == 1 && parts > 1) {
    // Of all values: of parts first, in any order.
    const Scratch extremes(*this, parts);
    parallel_for(parts, kGrain, [&](int64_t i) {
      const int64_t begin = i * kGrain, end = i + 1 == parts ? split.axis : begin + kGrain;
      k_.fold(op, in + begin, end - begin, 1, 0, 1, extremes.data() + i);
    });
    k_.fold(op, extremes.data(), parts, 1, 0, 1, out);
  } else {
    parallel_ranges(split.outer * split.inner, rows_of_task(split.axis), [=, this](int64_t begin, int64_t end) {
      k_.fold(op, in, split.axis, split.inner, begin, end, out);
    });
  }
  wide.finish();
}

}  // namespace ntq::cpu
