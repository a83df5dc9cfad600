// Convolutions of which both sides are codes, against the definition in float64, on every geometry of the list.
#include <cmath>

#include "tests/engine/backend_list/conv.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/reference_conv.h"

namespace ntq::test {
namespace {

/// Whole numbers in [low, high], as codes and as floats.
struct SomeCodes {
  Tensor bytes, values;
  SomeCodes(const Shape& shape, uint32_t seed, DType type, float low, float high)
      : bytes(Tensor::empty(shape, type)), values(some_values(shape, seed)) {
    for (int64_t i = 0; i < values.numel(); ++i) {
      float& v = values.f32()[i];
      v = std::round(low + (v + 1) / 2 * (high - low));
      if (type == DType::u8) bytes.data<uint8_t>()[i] = static_cast<uint8_t>(v);
      if (type == DType::i8) bytes.data<int8_t>()[i] = static_cast<int8_t>(v);
    }
  }
};

BackendCase conv_codes_case(const ConvGeometry& g, DType y, bool narrow, bool per_channel) {
  const int32_t x_top = narrow ? 15 : 255, w_top = narrow ? 8 : 128;
  const SomeCodes x({g.batch, g.in_h, g.in_w, g.in_c}, 1, DType::u8, 0, static_cast<float>(x_top)),
      w({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 2, DType::i8, static_cast<float>(-w_top),
        static_cast<float>(w_top - 1));
  const Tensor x_step = Tensor::full({1}, 0.11f), w_step = some_values({per_channel ? g.out_c : 1}, 3);
  for (int64_t i = 0; i < w_step.numel(); ++i) w_step.f32()[i] = 0.01f + std::fabs(w_step.f32()[i]);
  const int64_t outputs = g.batch * g.out_h * g.out_w * g.out_c;
  BackendCase one{Primitive::conv2d_codes,
                  concat(sizes_of(g), ", padding ", g.pad, ", bytes up to ", x_top, ", ", dtype_name(y),
                         per_channel ? ", a step per channel" : ""),
                  {x.bytes, w.bytes, x_step, w_step},
                  {output(outputs, y)},
                  [=](Backend& b, const Inputs& in, const Outputs& out) {
                    b.conv2d_codes(g, {in[0], in[1], in[2], in[3], x_top, w_top}, out[0]);
                  }};
  one.expected = [=, x = x.values, w = w.values] {
    const Tensor dy = Tensor::zeros({outputs}), y64 = Tensor::empty({outputs}, DType::f64);
    const ConvReference sums = reference_conv(g, x.f32(), w.f32(), dy.f32());
    for (int64_t i = 0; i < outputs; ++i) {
      const auto step = static_cast<double>(w_step.f32()[per_channel ? i % g.out_c : 0]);
      y64.data<double>()[i] = sums.y[static_cast<size_t>(i)] * step * static_cast<double>(x_step.item());
    }
    return std::vector{y64};
  };
  one.type = y;
  one.tolerance = y == DType::bf16 ? 7e-3 : 5e-5;  // of devices, and geometries, that have no integers
  return one;
}

}  // namespace

BackendCases conv_codes_cases() {
  BackendCases list;
  size_t i = 0;
  for (const ConvGeometry& g : conv_geometries()) {
    if (g.macs() > int64_t{4} << 20) continue;  // for plain loops
    for (const DType y : {DType::f32, DType::bf16}) {
      list.push_back(conv_codes_case(g, y, i % 2 == 0 || g.in_c >= 16, g.out_c > 0 && (i % 3 == 0)));
    }
    ++i;
  }
  return list;
}

}  // namespace ntq::test
