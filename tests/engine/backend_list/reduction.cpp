// Reductions and their opposite. Sums are taken in float64, in an order of each backend's own.
#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {
namespace {

constexpr double kSum = 1e-6;  // of the largest: float32 sums of float64 ones

void add_sums(BackendCases& list, const std::string& sizes, const Tensor& x) {
  for (const DType type : {DType::f32, DType::f64}) {
    list.push_back({Primitive::sum,
                    sizes,
                    {x},
                    {output(1, type)},
                    [](Backend& b, const Inputs& in, const Outputs& out) { b.sum(in[0], 0.25, out[0]); },
                    kSum});
    list.push_back({Primitive::sum_abs, sizes, {x}, {output(1, type)}, call_of(&Backend::sum_abs), kSum});
  }
  list.push_back({Primitive::all_finite, sizes, {x}, {output(1)}, call_of(&Backend::all_finite)});
}

}  // namespace

BackendCases reduction_cases() {
  BackendCases list;
  for (const int64_t n : kLengths) add_sums(list, std::to_string(n), some_values({n}, 1));
  for (const int64_t at : {0, 16, 63, 98}) {
    for (const float bad : {INFINITY, -INFINITY, std::nanf("")}) {
      Tensor x = some_values({99}, 1);
      x.f32()[at] = bad;
      add_sums(list, concat(bad, " at ", at), x);
    }
  }
  for (const AxisSplit& split : {AxisSplit{1, 1, 1},
                                 {5, 1, 7},
                                 {1, 17, 1},
                                 {3, 16, 1},
                                 {4, 33, 1},
                                 {1, 5, 31},
                                 {2, 3, 16},
                                 {2, 9, 33},
                                 {3, 50000, 1},
                                 {1, 100001, 1},
                                 {1, 3, 50000},
                                 {70, 2, 1000}}) {
    const std::string sizes = concat("{", split.outer, ",", split.axis, ",", split.inner, "}");
    const int64_t left = split.outer * split.inner;
    for (const Fold op : {Fold::sum, Fold::max, Fold::min}) {
      const auto call = call_of(&Backend::fold, op, split);
      const std::string name = concat("fold ", static_cast<int>(op), " of ", sizes);
      list.push_back(
          {Primitive::fold, name, {some_values({split.numel()}, 3)}, {output(left)}, call, op == Fold::sum ? kSum : 0});
      if (op != Fold::sum)
        list.push_back({Primitive::fold, name + ", wild", {wild_values(split.numel(), 3)}, {output(left)}, call});
    }
    const Tensor x = some_values({left}, 4);
    const auto spread = [split, x] {
      Tensor y = Tensor::empty({split.numel()});
      for (int64_t i = 0; i < y.numel(); ++i)
        y.f32()[i] = x.f32()[i / (split.axis * split.inner) * split.inner + i % split.inner];
      return std::vector{y};
    };
    list.push_back(
        {Primitive::spread, sizes, {x}, {output(split.numel())}, call_of(&Backend::spread, split), 0, 0, spread});
  }
  for (const int64_t channels : {1, 3, 8, 15, 16, 17, 64}) {
    for (const int64_t rows : {1, 2, 31, 5000}) {
      list.push_back({Primitive::sum_rows,
                      concat(rows, " rows of ", channels),
                      {some_values({rows * channels}, 1)},
                      {output(channels)},
                      call_of(&Backend::sum_rows),
                      1e-5});
    }
  }
  return list;
}

}  // namespace ntq::test
