// Tables of levels, and the curves behind them: the same bits everywhere. Sums over a tensor are taken in an order of
// each backend's own.
#include <algorithm>
#include <cmath>

#include "tests/engine/backend_list/list.h"
#include "tests/support/numeric_grad.h"

namespace ntq::test {
namespace {

/// Rising thresholds {tables,n-1} across [-1, 1], not evenly, of which some are equal.
Tensor rising(int64_t tables, int64_t count) {
  Tensor out = some_values({tables, count - 1}, 9);
  for (int64_t t = 0; t < tables; ++t) {
    float* const row = out.f32() + t * (count - 1);
    std::sort(row, row + count - 1);
    if (count > 5) row[2] = row[3];
  }
  return out;
}

/// By the definition: the entry of each x, and the sums of w and of w x.
std::vector<Tensor> looked_up(const Tensor& thresholds, const Tensor& entries, const Tensor& x, const Tensor& dy) {
  const int64_t tables = entries.numel() - thresholds.numel(), count = entries.numel() / tables;
  Tensor y = Tensor::empty(x.shape()), sums = Tensor::zeros({2, tables, count}, DType::f64);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t t = i / (x.numel() / tables);
    const float *row = thresholds.f32() + t * (count - 1), v = x.f32()[i];
    const int64_t at = t * count + std::count_if(row, row + count - 1, [&](float level) { return v > level; });
    const float entry = entries.f32()[at], w = dy ? dy.f32()[i] : 1.0f;
    y.f32()[i] = dy ? entry * w : std::isfinite(v) ? entry : NAN;
    sums.data<double>()[at] += static_cast<double>(w);
    sums.data<double>()[tables * count + at] += static_cast<double>(w) * static_cast<double>(v);
  }
  return {y, sums};
}

void add_look_up(BackendCases& list, int64_t tables, int64_t count, const Tensor& x, const std::string& what) {
  const int64_t n = x.numel();
  const Tensor thresholds = rising(tables, count), entries = some_values({tables, count}, 4), dy = some_values({n}, 6);
  const std::string sizes = concat(what, n, " in ", tables, " x ", count);
  const auto table = [](const Inputs& in) { return LookUpTable{in[1], in[2]}; };
  for (const DType type : {DType::f64, DType::f32}) {
    list.push_back(
        {Primitive::look_up,
         sizes,
         {x, thresholds, entries},
         {output(n), output(2 * tables * count, type)},
         [=](Backend& b, const Inputs& in, const Outputs& out) { b.look_up(table(in), in[0], out[0], out[1]); },
         0,
         1e-5,
         [=] { return looked_up(thresholds, entries, x, {}); }});
    list.push_back({Primitive::look_up_grad,
                    sizes,
                    {x, thresholds, entries, dy},
                    {output(n), output(2 * tables * count, type)},
                    [=](Backend& b, const Inputs& in, const Outputs& out) {
                      b.look_up_grad(table(in), in[0], in[3], out[0], out[1]);
                    },
                    1e-6,
                    1e-5,
                    [=] { return looked_up(thresholds, entries, x, dy); }});
  }
  list.push_back({Primitive::look_up,
                  sizes + ", no sums",
                  {x, thresholds, entries},
                  {output(n)},
                  [=](Backend& b, const Inputs& in, const Outputs& out) { b.look_up(table(in), in[0], out[0], {}); }});
  list.push_back(
      {Primitive::look_up_grad,
       sizes + ", no sums",
       {x, thresholds, entries, dy},
       {output(n)},
       [=](Backend& b, const Inputs& in, const Outputs& out) { b.look_up_grad(table(in), in[0], in[3], out[0], {}); }});
}

void add_basis(BackendCases& list, const BasisArgs& args, int64_t tables) {
  const int64_t count = int64_t{1} << args.bits;
  const Tensor basis = some_values({tables, args.bits}, 8);  // levels that cross
  const std::string sizes = concat(tables, " of ", args.bits, " bits, signed ", args.both_signs);
  list.push_back({Primitive::basis_levels,
                  sizes,
                  {basis},
                  {output(tables * count), output(tables * (count - 1)), output(tables * count)},
                  [args](Backend& b, const Inputs& in, const Outputs& out) {
                    b.basis_levels(args, in[0], out[0], out[1], out[2]);
                  }});
  Tensor codes = Tensor::empty({tables, count}), sums = Tensor::empty({2, tables, count}, DType::f64);
  for (int64_t i = 0; i < codes.numel(); ++i) {
    codes.f32()[i] = static_cast<float>(count - 1 - i % count);
    sums.data<double>()[i] = static_cast<double>(i % 3);  // some levels without inputs
    sums.data<double>()[codes.numel() + i] = 0.1 * static_cast<double>(i % 3 * (i % 7));
  }
  for (const bool always : {true, false}) {
    const BasisFit fit{.basis = args, .share = 0.3, .ridge = 1e-4, .always = always};
    list.push_back(
        {Primitive::basis_fit,
         concat(sizes, ", ridge always ", always),
         {codes, sums},
         {basis.clone()},
         [fit](Backend& b, const Inputs& in, const Outputs& out) { b.basis_fit(fit, in[0], in[1], out[0]); }});
  }
}

void add_companding(BackendCases& list, const CompandingArgs& args) {
  const int64_t n = args.entries();
  const Tensor theta = some_values({args.pieces}, 3), alpha = Tensor::from({1}, {0.7f});
  Tensor sums = Tensor::empty({2, n}, DType::f64);
  for (int64_t i = 0; i < 2 * n; ++i) sums.data<double>()[i] = 0.25 * static_cast<double>(i % 9 - 4);
  const std::string sizes = concat(args.steps, " steps, ", args.pieces, " pieces, signed ", args.both_signs);
  const auto theta_of = [args](const Inputs& in) { return args.pieces > 1 ? in[0] : ConstView{}; };
  list.push_back({Primitive::companding,
                  sizes,
                  {theta, alpha},
                  {output(n - 1), output(n), output(n), output(n)},
                  [=](Backend& b, const Inputs& in, const Outputs& out) {
                    b.companding(args, theta_of(in), in[1], {out[0], out[1], out[2], out[3]});
                  }});
  list.push_back({Primitive::companding_grad,
                  sizes,
                  {theta, alpha, sums},
                  {output(1), Tensor::zeros({args.pieces})},
                  [=](Backend& b, const Inputs& in, const Outputs& out) {
                    b.companding_grad(args, theta_of(in), in[1], in[2], out[0], args.pieces > 1 ? out[1] : View{});
                  }});
}

}  // namespace

BackendCases look_up_cases() {
  BackendCases list;
  for (const int64_t count : {2, 3, 8, 9, 16, 17, 33, 64, 65, 200, 1024}) {
    for (const int64_t n : {1, 17, 520}) add_look_up(list, 1, count, some_values({n}, 5), "");
  }
  add_look_up(list, 1, 16, some_values({70001}, 5), "");
  for (const int64_t run : {1, 17, 300}) add_look_up(list, 5, 16, some_values({5 * run}, 5), "");
  list.push_back({Primitive::look_up,
                  "wild",
                  {wild_values(99, 5), rising(1, 16), some_values({16}, 4)},
                  {output(99)},
                  [](Backend& b, const Inputs& in, const Outputs& out) {
                    b.look_up({in[1], in[2]}, in[0], out[0], {});
                  }});
  for (const int bits : {1, 2, 4, 8}) {
    for (const bool both : {false, true}) add_basis(list, {.bits = bits, .both_signs = both}, 3);
  }
  for (const int64_t steps : {1, 3, 7, 15, 255}) {
    for (const int64_t pieces : {1, 4, 16, 256}) {
      for (const bool both : {false, true}) {
        if (both && steps == 255) continue;  // 255 steps are those of a byte without a sign
        CompandingArgs args{.steps = steps, .pieces = pieces, .both_signs = both};
        args.unit_slopes = pieces == 4, args.byte_levels = steps == 3;
        add_companding(list, args);
      }
    }
  }
  return list;
}

}  // namespace ntq::test
