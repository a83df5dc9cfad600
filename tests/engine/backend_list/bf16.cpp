// Every case of the other families but convolution once more, with what lies between layers stored as bfloat16. What
// decides: the same values widened, the portable float32 kernels, the result rounded. Equal to the bit where the
// float32 case is.
#include <algorithm>
#include <map>
#include <set>

#include "engine/ops/cast.h"
#include "tests/engine/backend_list/list.h"

namespace ntq::test {
namespace {

/// Of each primitive, which inputs and which outputs lie between layers; float32 stays what is not named.
struct Between {
  std::set<size_t> inputs, outputs;
};
const std::map<Primitive, std::vector<Between>> kBetween = {
    {Primitive::fill, {{{}, {0}}}},
    {Primitive::unary, {{{0}, {0}}}},
    {Primitive::binary, {{{0, 1}, {0}}}},
    {Primitive::binary_along, {{{0}, {0}}, {{0, 1}, {0}}}},
    {Primitive::where, {{{0, 1, 2}, {0}}}},
    {Primitive::fold, {{{0}, {0}}, {{0}, {}}}},
    {Primitive::sum, {{{0}, {}}}},
    {Primitive::scale, {{{0}, {0}}}},
    {Primitive::axpy, {{{0}, {0}}}},
    {Primitive::relu, {{{0}, {0}}}},
    {Primitive::relu_grad, {{{0, 1}, {0}}}},
    {Primitive::sum_rows, {{{0}, {0}}, {{0}, {}}}},
    {Primitive::spread, {{{0}, {0}}, {{}, {0}}}},
    {Primitive::sum_abs, {{{0}, {}}}},
    {Primitive::all_finite, {{{0}, {}}}},
    {Primitive::batch_norm_stats, {{{0}, {}}}},
    {Primitive::batch_norm_apply, {{{0, 5}, {0}}}},
    {Primitive::batch_norm_grad, {{{0, 4, 5}, {0, 3}}}},
    {Primitive::max_pool, {{{0}, {0}}}},
    {Primitive::max_pool_grad, {{{0}, {0}}}},
    {Primitive::avg_pool, {{{0}, {0}}}},
    {Primitive::avg_pool_grad, {{{0}, {0}}}},
    {Primitive::subsample, {{{0}, {0}}}},
    {Primitive::subsample_grad, {{{0}, {0}}}},
    {Primitive::quantize, {{{0}, {0}}}},
    {Primitive::quantize_grad, {{{0, 2}, {0}}}},
    {Primitive::quantize_codes, {{{0}, {}}}},
    {Primitive::decode_codes, {{{}, {0}}}},
    {Primitive::quantize_error, {{{0}, {}}}},
    {Primitive::decode_codes, {{{}, {0}}}},
    {Primitive::look_up, {{{0}, {0}}}},
    {Primitive::look_up_grad, {{{0, 3}, {0}}}},
};

// A result that is not exact may lie on the other side of the middle between two numbers of 8 bits.
constexpr double kStored = 1.0 / 128;

std::vector<Tensor> stored(const std::vector<Tensor>& tensors, const std::set<size_t>& between, DType type) {
  std::vector<Tensor> out = tensors;
  for (const size_t i : between) {
    if (i < out.size()) out[i] = cast(out[i], type);
  }
  return out;
}

BackendCase as_bf16(const BackendCase& plain, Between between) {
  // Some norms have a parameter where others have y.
  if (plain.primitive == Primitive::batch_norm_grad)
    std::erase_if(between.inputs, [&](size_t i) {
      return i < plain.inputs.size() && plain.inputs[i].numel() != plain.inputs[0].numel();
    });
  BackendCase one = plain;
  one.type = DType::bf16;
  one.inputs = stored(plain.inputs, between.inputs, DType::bf16);
  one.outputs = stored(plain.outputs, between.outputs, DType::bf16);
  const bool exact = plain.tolerance == 0 && plain.relative == 0;
  one.to_the_bit = !plain.expected;  // as its float32 case is
  if (!exact && !between.outputs.empty()) one.relative = std::max(one.relative, kStored);
  BackendCase wide = plain;
  wide.inputs = stored(one.inputs, between.inputs, DType::f32);
  wide.outputs = stored(one.outputs, between.outputs, DType::f32);
  one.expected = [wide, outputs = between.outputs] {
    return stored(outputs_of(wide, *all_backends().front().backend), outputs, DType::bf16);
  };
  return one;
}

void add_casts(BackendCases& list) {
  for (const int64_t n : kLengths) {
    const Tensor x = wild_values(n, 1);
    Tensor narrow = Tensor::empty({n}, DType::bf16), wide = Tensor::empty({n});
    for (int64_t i = 0; i < n; ++i) {
      narrow.data<BFloat16>()[i] = to_bf16(x.f32()[i]);
      wide.f32()[i] = from_bf16(narrow.data<BFloat16>()[i]);
    }
    const auto add = [&](const char* what, const Tensor& from, const Tensor& to) {
      list.push_back({.primitive = Primitive::cast,
                      .what = concat(what, n),
                      .inputs = {from},
                      .outputs = {output(n, to.dtype())},
                      .call = call_of(&Backend::cast),
                      .expected = [to] { return std::vector{to}; },
                      .type = DType::bf16});
    };
    add("to bfloat16, ", x, narrow);
    add("from bfloat16, ", narrow, wide);
    add("between bfloat16, ", narrow, narrow);
  }
}

}  // namespace

BackendCases bf16_cases() {
  BackendCases list;
  add_casts(list);
  for (const Family& family : kFamilies) {
    if (family.cases == bf16_cases) continue;
    for (const BackendCase& plain : family.cases()) {
      const auto between = kBetween.find(plain.primitive);
      if (between == kBetween.end()) continue;
      for (const Between& which : between->second) list.push_back(as_bf16(plain, which));
    }
  }
  return list;
}

}  // namespace ntq::test
