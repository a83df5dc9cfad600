// Elementwise primitives. Each is one operation, so all agree to the bit; exp, log, tanh and sigmoid have the same bits
// on every instruction set, and stay within a few units in the last place of the C library's.
#include <cmath>

#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {
namespace {

constexpr Binary kBinaries[] = {Binary::add, Binary::sub,  Binary::mul,        Binary::div,  Binary::min,
                                Binary::max, Binary::less, Binary::less_equal, Binary::equal};

struct Definition {
  Unary op;
  double (*value)(double);
  double relative;  // 0: to the bit
};
const Definition kUnaries[] = {
    {Unary::neg, [](double x) { return -x; }, 0},
    {Unary::abs, [](double x) { return std::abs(x); }, 0},
    {Unary::square, [](double x) { return x * x; }, 1e-7},
    {Unary::sqrt, [](double x) { return std::sqrt(x); }, 1e-7},
    {Unary::exp, [](double x) { return std::exp(x); }, 4e-7},
    {Unary::log, [](double x) { return std::log(x); }, 4e-7},
    {Unary::tanh, [](double x) { return std::tanh(x); }, 6e-7},
    {Unary::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 6e-7},
    {Unary::sign, [](double x) { return std::isnan(x) ? x : double((x > 0) - (x < 0)); }, 0},
    {Unary::floor, [](double x) { return std::floor(x); }, 0},
    {Unary::round, [](double x) { return std::nearbyint(x); }, 0},
};

/// Values of every size, both signs, in a number that is no multiple of a vector.
Tensor values_of_every_size() {
  std::vector<float> out = {0,     -0.0f,  1,       -1,    0.5f,   -0.5f,    1.5f,      2.5f,
                            -2.5f, 1e-40f, -1e-40f, 3e38f, -3e38f, INFINITY, -INFINITY, std::nanf("")};
  for (int i = 0; i < 4001; ++i) out.push_back(static_cast<float>((i - 2000) * 0.05137));
  for (int e = -140; e < 127; ++e) out.push_back(std::ldexp(1.37f, e));
  for (const float v : {8388607.5f, 8388609.0f, -8388607.5f, 4194304.5f, 88.7f, 88.73f, -87.5f, -104.0f})
    out.push_back(v);
  return Tensor::from({static_cast<int64_t>(out.size())}, std::span<const float>(out));
}

/// In float64, rounded to float32: what a float32 function can give at best.
Tensor defined_values(const Definition& d, const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), DType::f64);
  for (int64_t i = 0; i < x.numel(); ++i)
    y.data<double>()[i] = static_cast<double>(static_cast<float>(d.value(static_cast<double>(x.f32()[i]))));
  return y;
}

void add_unaries(BackendCases& list) {
  for (const Definition& d : kUnaries) {
    const auto call = call_of(&Backend::unary, d.op);
    const std::string name = concat("function ", static_cast<int>(d.op));
    const Tensor x = values_of_every_size();
    list.push_back(
        {Primitive::unary, name + " against the C library", {x}, {output(x.numel())}, call, 0, d.relative, [d, x] {
           return std::vector{defined_values(d, x)};
         }});
    list.push_back({Primitive::unary, name + " to the bit", {x}, {output(x.numel())}, call});
    list.push_back(
        {Primitive::unary, name + " in place", {}, {x}, [op = d.op](Backend& b, const Inputs&, const Outputs& out) {
           b.unary(op, out[0], out[0]);
         }});
    for (const int64_t n : kLengths)
      list.push_back({Primitive::unary, concat(name, ", ", n), {some_values({n}, 1)}, {output(n)}, call});
  }
}

void add_binaries(BackendCases& list) {
  for (const Binary op : kBinaries) {
    const std::string name = concat("operation ", static_cast<int>(op));
    const auto call = call_of(&Backend::binary, op);
    for (const int64_t n : kLengths) {
      list.push_back(
          {Primitive::binary, concat(name, ", ", n), {some_values({n}, 1), some_values({n}, 2)}, {output(n)}, call});
    }
    list.push_back({Primitive::binary, name + ", wild", {wild_values(99, 1), wild_values(99, 2)}, {output(99)}, call});
    list.push_back({Primitive::binary,
                    name + " in place",
                    {some_values({99}, 1)},
                    {some_values({99}, 2)},
                    [op](Backend& b, const Inputs& in, const Outputs& out) { b.binary(op, out[0], in[0], out[0]); }});
    for (const AxisSplit& split : {AxisSplit{1, 1, 100},
                                   {7, 1, 33},
                                   {1, 17, 1},
                                   {9, 16, 1},
                                   {3, 33, 1},
                                   {1, 5, 31},
                                   {2, 3, 16},
                                   {3, 50000, 1},
                                   {1, 3, 50000},
                                   {4, 0, 3}}) {
      for (const bool b_first : {false, true}) {
        list.push_back({Primitive::binary_along,
                        concat(name, " along {", split.outer, ",", split.axis, ",", split.inner, "}"),
                        {some_values({split.numel()}, 1), some_values({split.axis}, 2)},
                        {output(split.numel())},
                        call_of(&Backend::binary_along, AlongArgs{op, split, b_first})});
      }
    }
  }
}

void add_others(BackendCases& list, const std::string& sizes, const Tensor& x, const Tensor& z) {
  const int64_t n = x.numel();
  list.push_back({Primitive::fill, sizes, {}, {output(n)}, call_of(&Backend::fill, 1.5f)});
  list.push_back({Primitive::scale, sizes, {x}, {output(n)}, call_of(&Backend::scale, 3.0f)});
  list.push_back({Primitive::axpy, sizes, {x}, {z}, call_of(&Backend::axpy, 2.0f)});
  list.push_back({Primitive::relu, sizes, {x}, {output(n)}, call_of(&Backend::relu)});
  list.push_back({Primitive::relu_grad, sizes, {x, z}, {output(n)}, call_of(&Backend::relu_grad)});
  Tensor condition = z.clone();
  for (int64_t i = 0; i < n; i += 2) condition.f32()[i] = i % 4 ? 0.0f : -0.0f;
  list.push_back({Primitive::where, sizes, {condition, x, z}, {output(n)}, call_of(&Backend::where)});
}

}  // namespace

BackendCases elementwise_cases() {
  BackendCases list;
  add_unaries(list);
  add_binaries(list);
  for (const int64_t n : kLengths) add_others(list, std::to_string(n), some_values({n}, 1), some_values({n}, 2));
  add_others(list, "wild", wild_values(99, 1), wild_values(99, 2));
  return list;
}

}  // namespace ntq::test
