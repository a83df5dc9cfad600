// Convolutions of bfloat16 and of codes against the definition in float64, on every geometry of the list. Of small
// whole numbers all sums are exact, and rounded once where y or dx are bfloat16: the same bits. Of others a sum of
// filters that are rounded to bfloat16 stays within 5e-6 of the largest value, as float32 has it; so do codes
// against float32, or as Winograd's (2e-5). Winograd's in bfloat16, whose transforms are rounded, stay within 7e-3, and
// are exact of codes of up to 6 bits.
#include <algorithm>
#include <cmath>
#include <memory>

#include "tests/engine/backend_list/conv.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/reference_conv.h"

namespace ntq::test {
namespace {

/// One convolution and its gradients: x of any type, dy, y and dx of one, in whole numbers or any.
struct TypedConv {
  ConvGeometry g;
  DType x, y;
  enum Values { whole, any, wild } x_values, dy_values;
};

Tensor as_type(const Tensor& from, DType type) {
  if (type == DType::f32) return from;
  Tensor to = Tensor::empty(from.shape(), type);
  for (int64_t i = 0; i < from.numel(); ++i) {
    const float value = from.f32()[i];
    if (type == DType::bf16) to.data<BFloat16>()[i] = to_bf16(value);
    if (type == DType::u8) to.data<uint8_t>()[i] = static_cast<uint8_t>(std::fabs(value));
    if (type == DType::i8) to.data<int8_t>()[i] = static_cast<int8_t>(value);
  }
  return to;
}
Tensor as_floats(const Tensor& from) {
  if (from.dtype() == DType::f32) return from;
  Tensor to = Tensor::empty(from.shape());
  for (int64_t i = 0; i < from.numel(); ++i) {
    float& value = to.f32()[i];
    if (from.dtype() == DType::bf16) value = from_bf16(from.data<BFloat16>()[i]);
    if (from.dtype() == DType::u8) value = from.data<uint8_t>()[i];
    if (from.dtype() == DType::i8) value = from.data<int8_t>()[i];
  }
  return to;
}
/// Values as they are rounded on the way into a product of this type.
Tensor rounded(const Tensor& from, DType type) { return as_floats(as_type(from, type)); }

Tensor whole_values(const Shape& shape, uint32_t seed, float largest) {
  Tensor t = some_values(shape, seed);
  for (int64_t i = 0; i < t.numel(); ++i) t.f32()[i] = std::round(t.f32()[i] * largest);
  return t;
}

/// 3x3 convolutions that may go through Winograd's transforms.
bool may_be_transformed(const ConvGeometry& g) {
  return g.kernel_h == 3 && g.kernel_w == 3 && g.stride == 1 && g.pad == 1 && std::min(g.in_c, g.out_c) >= 16;
}

/// All of an axis of values; the wild ones are sparse, so that most sums are numbers.
Tensor values_of(TypedConv::Values kind, const Shape& shape, uint32_t seed, DType type, float largest_code = 127) {
  const bool codes = type == DType::u8 || type == DType::i8;
  if (kind == TypedConv::whole || codes) return as_type(whole_values(shape, seed, codes ? largest_code : 3), type);
  Tensor t = some_values(shape, seed);
  if (kind == TypedConv::wild) {
    const float wild[] = {INFINITY, -INFINITY, std::nanf("")};
    for (int64_t i = seed; i < t.numel(); i += 61) t.f32()[i] = wild[i % 3];
  }
  return as_type(t, type);
}

std::vector<Tensor> as_output(const std::vector<double>& values, DType type) {
  Tensor t = Tensor::from({static_cast<int64_t>(values.size())}, std::span<const double>(values));
  if (type == DType::f64) return {t};
  Tensor floats = Tensor::empty(t.shape());
  for (int64_t i = 0; i < t.numel(); ++i) floats.f32()[i] = static_cast<float>(t.data<double>()[i]);
  return {as_type(floats, type)};
}

void add_cases(const TypedConv& c, BackendCases& list) {
  const ConvGeometry& g = c.g;
  const bool transformed = may_be_transformed(g);
  const float largest_code = transformed ? 63 : c.x == DType::u8 ? 255 : 127;
  const Tensor x = values_of(c.x_values, {g.batch, g.in_h, g.in_w, g.in_c}, 1, c.x, largest_code);
  const Tensor w = values_of(c.x_values == TypedConv::whole ? TypedConv::whole : TypedConv::any,
                             {g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 2, DType::f32);
  const Tensor dy = values_of(c.dy_values, {g.batch, g.out_h, g.out_w, g.out_c}, 3, c.y);
  const bool codes = c.x == DType::u8 || c.x == DType::i8, in_bf16 = c.x == DType::bf16 || c.y == DType::bf16;
  const bool rounds_filters = in_bf16 && !transformed;
  const auto once = std::make_shared<ConvReference>();
  const auto definition = [=](auto part, DType type) {
    return [=] {
      if (once->y.empty())
        *once = reference_conv(g, as_floats(x).f32(), (rounds_filters ? rounded(w, DType::bf16) : w).f32(),
                               as_floats(dy).f32());
      return as_output((*once).*part, type);
    };
  };
  const char* const values = c.x_values == TypedConv::whole   ? ""
                             : c.x_values == TypedConv::wild  ? ", wild x"
                             : c.dy_values == TypedConv::wild ? ", wild dy"
                                                              : ", any";
  const std::string what =
      concat(sizes_of(g), ", padding ", g.pad, ", ", dtype_name(c.x), " and ", dtype_name(c.y), values);
  const auto add = [&](Primitive primitive, std::vector<Tensor> in, int64_t size, DType type, const auto& call,
                       const auto& part) {
    const bool exact = c.x_values == TypedConv::whole;
    BackendCase one{primitive, what, in, {output(size, type)}, call};
    one.expected = definition(part, exact ? type : DType::f64);
    one.type = primitive == Primitive::conv2d_grad_input ? c.y : c.x;
    if (!exact)
      one.tolerance = !in_bf16 ? 2e-5 : transformed ? 7e-3 : 5e-6, one.relative = type == DType::bf16 ? 0x1p-8 : 0;
    list.push_back(one);
  };
  // x float32 and dy bfloat16 stand for a data gradient that is written as float32.
  if (c.x != DType::f32)
    add(Primitive::conv2d, {x, w}, dy.numel(), c.y, call_of(&Backend::conv2d, g), &ConvReference::y);
  if (!codes && c.y == DType::bf16)
    add(Primitive::conv2d_grad_input, {dy, w}, x.numel(), c.x, call_of(&Backend::conv2d_grad_input, g),
        &ConvReference::dx);
  // Where dy is no number, neither is its product with the padding.
  if ((codes || (c.x == DType::bf16 && c.y == DType::bf16)) && c.dy_values != TypedConv::wild)
    add(Primitive::conv2d_grad_weight, {dy, x}, w.numel(), DType::f32, call_of(&Backend::conv2d_grad_weight, g),
        &ConvReference::dw);
}

}  // namespace

BackendCases conv_calls_bf16(const ConvGeometry& g) {
  BackendCases list;
  for (const DType x : {DType::bf16, DType::u8, DType::i8, DType::f32}) {
    add_cases({g, x, DType::bf16, TypedConv::any, TypedConv::any}, list);
  }
  return list;
}

BackendCases conv_type_cases() {
  using enum DType;
  BackendCases list;
  size_t i = 0;
  for (const ConvGeometry& g : conv_geometries()) {
    add_cases({g, i % 3 == 0 ? u8 : i % 3 == 1 ? i8 : bf16, bf16, TypedConv::whole, TypedConv::whole}, list);
    if (i++ % 3 != 2) add_cases({g, bf16, bf16, TypedConv::whole, TypedConv::whole}, list);
  }
  // Filter gradients of several blocks and parts: of rows, of lines of taps; of few channels, with lines of odd length.
  for (const ConvGeometry& g : {conv_geometry(2, 22, 17, 33, 1, 1, 0), conv_geometry(2, 46, 17, 20, 3, 2, 1),
                                conv_geometry(1, 40, 3, 33, 3, 1, 1), conv_geometry(2, 31, 2, 5, 5, 2, 2)}) {
    for (const DType x : {bf16, u8}) add_cases({g, x, bf16, TypedConv::whole, TypedConv::whole}, list);
    add_cases({g, bf16, bf16, TypedConv::any, TypedConv::any}, list);
  }
  // Blocks of depth, rows and pixels, panels, odd channels; what is written as float32; numbers that are none.
  for (const ConvGeometry& g :
       {conv_geometry(2, 9, 5, 7, 3, 1, 1), conv_geometry(2, 7, 17, 33, 3, 2, 1), conv_geometry(3, 14, 3, 64, 7, 2, 3),
        conv_geometry(2, 6, 130, 40, 1, 2, 0), conv_geometry(1, 9, 64, 48, 3, 1, 1)}) {
    for (const auto& [of_x, of_dy] : {std::pair{TypedConv::any, TypedConv::any},
                                      {TypedConv::wild, TypedConv::any},
                                      {TypedConv::any, TypedConv::wild}}) {
      // Transforms carry what is no number to all of a tile.
      if (may_be_transformed(g) && (of_x == TypedConv::wild || of_dy == TypedConv::wild)) continue;
      add_cases({g, bf16, bf16, of_x, of_dy}, list);
      add_cases({g, bf16, f32, of_x, of_dy}, list);
      add_cases({g, f32, bf16, of_x, of_dy}, list);
    }
    add_cases({g, u8, f32, TypedConv::any, TypedConv::any}, list);
    add_cases({g, i8, f32, TypedConv::any, TypedConv::any}, list);
  }
  return list;
}

}  // namespace ntq::test
