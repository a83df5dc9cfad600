#include "engine/backend/cuda/kernels/pointwise.h"

#include "engine/backend/cuda/cuda_backend.h"

namespace ntq::cuda {
namespace {

bool is_packed(const void* memory) { return reinterpret_cast<uintptr_t>(memory) % alignof(Float4) == 0; }

constexpr int64_t kMostOf32Bits = int64_t{1} << 31;

}  // namespace

template <class F, class... In>
void CudaBackend::map(const F& f, View y, In... in) {
  constexpr int kInputs = sizeof...(In);
  const bool packed = (is_packed(y.data) && ... && is_packed(in.data));
  stream_->launch<MapKernel<F, kInputs>>(grid_for(packed ? (y.size + 3) / 4 : y.size),
                                         {f, floats(y), y.size, packed, {floats(ConstView(in))...}});
}

void CudaBackend::fill(float value, View y) { map(FillOp{value}, y); }

void CudaBackend::cast(ConstView x, View y) {
  const auto widen = [&]<class From>(const From* from) {
    stream_->launch<WidenKernel<From>>(grid_for(y.size), {from, floats(y), y.size});
  };
  switch (x.type) {
    case DType::i8: return widen(static_cast<const int8_t*>(x.data));
    case DType::u8: return widen(static_cast<const uint8_t*>(x.data));
    case DType::i32: return widen(static_cast<const int32_t*>(x.data));
    default: copy(y.data, x.data, static_cast<size_t>(y.size) * dtype_size(y.type), CopyKind::on_device);
  }
}

void CudaBackend::unary(Unary op, ConstView x, View y) { map(UnaryOp{op}, y, x); }
void CudaBackend::binary(Binary op, ConstView a, ConstView b, View y) { map(BinaryOp{op}, y, a, b); }
void CudaBackend::where(ConstView condition, ConstView a, ConstView b, View y) { map(WhereOp{}, y, condition, a, b); }
void CudaBackend::scale(float alpha, ConstView x, View y) { map(ScaleOp{alpha}, y, x); }
void CudaBackend::axpy(float alpha, ConstView x, View y) { map(AxpyOp{alpha}, y, y, x); }
void CudaBackend::relu(ConstView x, View y) { map(ReluOp{}, y, x); }
void CudaBackend::relu_grad(ConstView y, ConstView dy, View dx) { map(ReluGradOp{}, dx, y, dy); }

void CudaBackend::binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) {
  const auto& [outer, axis, inner] = args.split;
  if (axis == 1) return map(WithNumberOp{{args.op}, args.b_first, floats(b)}, y, a);
  const auto launch = [&, axis = axis, inner = inner]<class Index>(Index) {
    stream_->launch<AlongKernel<Index>>(
        grid_for(y.size), {{args.op}, args.b_first, floats(a), floats(b), floats(y), y.size, axis, inner});
  };
  y.size < kMostOf32Bits ? launch(uint32_t{}) : launch(uint64_t{});
}

void CudaBackend::spread(const AxisSplit& split, ConstView x, View y) {
  const auto launch = [&]<class Index>(Index) {
    stream_->launch<SpreadKernel<Index>>(grid_for(y.size), {floats(x), floats(y), y.size, split.axis, split.inner});
  };
  y.size < kMostOf32Bits ? launch(uint32_t{}) : launch(uint64_t{});
}

}  // namespace ntq::cuda
