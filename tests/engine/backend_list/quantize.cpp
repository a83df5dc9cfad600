// Uniform quantization and NTQ's noise: the same bits everywhere, so that a checkpoint's codes are the same everywhere.
// Sums over a tensor are taken in an order of each backend's own.
#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {
namespace {

// Values and gradients; with several steps each has its own run of x.
void add_quantize(BackendCases& list, const std::string& sizes, const Tensor& x, const Tensor& step,
                  const QuantizeArgs& args) {
  const int64_t n = x.numel();
  QuantizeArgs noisy = args;
  noisy.noise = {.c = 0.2f, .k = 50, .key = {.seed = 3, .stream = 4, .step = 5}};
  for (const QuantizeArgs& a : {args, noisy}) {
    list.push_back({Primitive::quantize,
                    concat(sizes, ", noise ", a.noise.c),
                    {x, step},
                    {output(n)},
                    call_of(&Backend::quantize, a)});
  }
  list.push_back({Primitive::quantize_grad,
                  sizes,
                  {x, step, some_values({n}, 6)},
                  {output(n), output(step.numel())},
                  call_of(&Backend::quantize_grad, args),
                  0,
                  1e-5});
}

// Of finite values: others have no codes.
void add_codes(BackendCases& list, const std::string& sizes, const Tensor& x, const Tensor& step, QuantRange range) {
  list.push_back({Primitive::quantize_codes,
                  sizes,
                  {x, step},
                  {output(x.numel(), range.low < 0 ? DType::i8 : DType::u8)},
                  [range](Backend& b, const Inputs& in, const Outputs& out) {
                    b.quantize_codes(range, in[0], in[1], out[0], {});
                  }});
}

}  // namespace

BackendCases quantize_cases() {
  BackendCases list;
  const Tensor step = Tensor::from({1}, {0.037f}), steps = Tensor::from({5}, {0.001f, 0.03f, 0.037f, 0.1f, 5.0f});
  for (const int64_t n : kLengths) {
    const Tensor x = some_values({n}, 5);
    for (const QuantRange range : {QuantRange{-8, 7}, {0, 3}, {-128, 127}}) {
      const std::string sizes = concat(n, " in [", range.low, ",", range.high, "]");
      add_quantize(list, sizes, x, step, {.range = range, .grad_scale = 0.5f});
      add_codes(list, sizes, x, step, range);
      list.push_back({Primitive::quantize_error,
                      sizes,
                      {x, steps},
                      {output(5, DType::f64)},
                      call_of(&Backend::quantize_error, range),
                      0,
                      1e-5});
    }
  }
  for (const int64_t run : {1, 17, 300}) {
    const std::string sizes = concat("5 steps, ", run, " each");
    const Tensor x = some_values({5 * run}, 5);
    add_quantize(list, sizes, x, steps, {.range = {-8, 7}, .grad_scale = 0.5f});
    add_codes(list, sizes, x, steps, {-8, 7});
  }
  for (const DType type : {DType::i8, DType::u8}) {
    Tensor all = Tensor::empty({256 + 3}, type);
    for (int64_t i = 0; i < all.numel(); ++i) static_cast<uint8_t*>(all.raw())[i] = static_cast<uint8_t>(i);
    list.push_back({Primitive::decode_codes,
                    concat("all of ", dtype_name(type)),
                    {all, step},
                    {output(all.numel())},
                    call_of(&Backend::decode_codes)});
  }
  list.push_back({Primitive::quantize_codes,
                  "checked",
                  {some_values({70001}, 5), step},
                  {output(70001, DType::i8), output(1)},
                  [](Backend& b, const Inputs& in, const Outputs& out) {
                    b.quantize_codes({-8, 7}, in[0], in[1], out[0], out[1]);
                  }});
  Tensor unfinite = some_values({5 * 17}, 5);
  unfinite.f32()[3 * 17] = INFINITY;  // of the fourth step
  for (const Tensor& of : {steps, step}) {
    list.push_back({Primitive::quantize_codes,
                    concat("one of ", of.numel(), " steps has a value that is not finite"),
                    {unfinite, of},
                    {output(5 * 17, DType::i8), output(of.numel())},
                    [](Backend& b, const Inputs& in, const Outputs& out) {
                      b.quantize_codes({-8, 7}, in[0], in[1], out[0], out[1]);
                    }});
  }
  add_quantize(list, "wild", wild_values(99, 5), step, {.range = {-8, 7}});
  return list;
}

}  // namespace ntq::test
