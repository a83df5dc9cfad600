#include "engine/ops/look_up.h"

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/on_device.h"
#include "engine/ops/unary.h"

namespace ntq {
namespace {

/// Of x, checked.
LookUpTable table_for(const char* op, const Tensor& x, const Tensor& thresholds, const Tensor& entries) {
  check(x.defined() && thresholds.defined() && entries.defined(), op, ": a tensor is undefined");
  const Shape &t = thresholds.shape(), &e = entries.shape();
  const int last = e.rank() - 1;
  const bool fits = (last == 0 || (last == 1 && x.shape().rank() >= 1 && (e[0] == 1 || e[0] == x.size(0)))) &&
                    t.rank() == e.rank() && t[0] == (last == 0 ? e[0] - 1 : e[0]) && t[last] == e[last] - 1 &&
                    e[last] >= 2 && e[last] <= kMostEntries;
  check(fits, op, ": expected {n-1} thresholds and {n} entries, or as many for each slice of the first axis of ",
        x.shape(), ", n up to ", kMostEntries, "; found ", t, " and ", e);
  return {thresholds.view(), entries.view()};
}

Tensor sums_for(const LookUpTable& table, DType type, Device device) {
  return Tensor::empty({2, table.tables(), table.count()}, type, device);
}

void check_basis(const char* op, const Tensor& basis, const BasisArgs& args) {
  check(basis.defined() && basis.shape().rank() == 2 && basis.size(1) == args.bits && args.bits >= 1 && args.bits <= 8,
        op, ": expected bases of ", args.bits, " values, at most 8, as {C,bits}");
}

void check_companding(const char* op, const Tensor& theta, const Tensor& alpha, const CompandingArgs& args) {
  check(alpha.defined() && alpha.numel() == 1, op, ": expected one alpha");
  check(args.pieces >= 1 && args.pieces <= 256 && args.steps >= 1 && args.steps <= 255, op,
        ": expected 1 to 256 pieces and 1 to 255 steps, found ", args.pieces, " and ", args.steps);
  check(theta.defined() ? theta.numel() == args.pieces : args.pieces == 1, op, ": expected one theta for each of ",
        args.pieces, " pieces");
}

Tensor times_slope(const Tensor& x, const Tensor& thresholds, const Tensor& slopes, const Tensor& dy, View sums) {
  const LookUpTable table = table_for("look_up", x, thresholds, slopes);
  check(dy.defined() && dy.shape() == x.shape(), "look_up: expected a gradient of ", x.shape());
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
  backend_for("look_up", Primitive::look_up_grad, {x, dy}, {thresholds, slopes})
      .look_up_grad(table, x.view(), dy.view(), dx.view(), sums);
  return dx;
}

ConstView view_or_none(const Tensor& t) { return t ? ConstView(t.view()) : ConstView{}; }

}  // namespace

Tensor look_up(const Tensor& x, const Tensor& thresholds, const Tensor& entries) {
  const LookUpTable table = table_for("look_up", x, thresholds, entries);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  backend_for("look_up", Primitive::look_up, {x}, {thresholds, entries}).look_up(table, x.view(), y.view(), {});
  return y;
}

LookedUp look_up_with_sums(const Tensor& x, const Tensor& thresholds, const Tensor& entries) {
  const LookUpTable table = table_for("look_up", x, thresholds, entries);
  const LookedUp out{Tensor::empty(x.shape(), x.dtype(), x.device()), sums_for(table, DType::f64, x.device())};
  backend_for("look_up", Primitive::look_up, {x}, {thresholds, entries})
      .look_up(table, x.view(), out.values.view(), out.sums.view());
  return out;
}

Tensor look_up_slopes(const Tensor& x, const Tensor& thresholds, const Tensor& slopes, const Tensor& dy) {
  return times_slope(x, thresholds, slopes, dy, {});
}

LookUpGrad look_up_grad(const Tensor& x, const Tensor& thresholds, const Tensor& slopes, const Tensor& dy, DType type) {
  const Tensor sums = sums_for(table_for("look_up", x, thresholds, slopes), type, x.device());
  return {times_slope(x, thresholds, slopes, dy, sums.view()), sums};
}

LinearGrad linear_grad(const Tensor& x, const Line& line, const Tensor& dy) {
  const NoGrad no_grad;
  const auto at = [&](std::initializer_list<float> places, const Tensor& value) {
    return mul(Tensor::from({static_cast<int64_t>(places.size())}, places, x.device()), value);
  };
  // The largest number below the lower end.
  const Tensor below = sub(sub(line.low, scale(abs(line.low), 6e-8f)), 1e-30f);
  const auto [dx, sums] =
      look_up_grad(x, add(at({1, 0}, below), at({0, 1}, line.high)), at({0, 1, 0}, line.slope), dy, DType::f32);
  const Tensor all = sums.view({6});
  return {dx, mul(all.rows(1, 2), line.slope), mul(all.rows(4, 5), line.slope)};
}

Tensor look_up_codes(const Tensor& x, const Tensor& thresholds, const Tensor& entries, QuantRange range) {
  const Tensor whole = look_up(x, thresholds, entries).to(Device());
  return range.low < 0 ? cast_i8(whole) : cast_u8(whole);
}

Tensor look_up_places(const Tensor& x, const Tensor& thresholds, QuantRange range) {
  std::vector<int64_t> sizes(thresholds.shape().sizes().begin(), thresholds.shape().sizes().end());
  const int64_t count = ++sizes.back();
  const Tensor places = Tensor::empty(Shape(std::span<const int64_t>(sizes)));
  for (int64_t i = 0; i < places.numel(); ++i) places.f32()[i] = range.low + static_cast<float>(i % count);
  return look_up_codes(x, thresholds, places.to(x.device()), range);
}

BasisLevels basis_levels(const Tensor& basis, const BasisArgs& args) {
  check_basis("basis_levels", basis, args);
  const int64_t tables = basis.size(0), count = int64_t{1} << args.bits;
  const auto made = [&](int64_t n) { return Tensor::empty({tables, n}, DType::f32, basis.device()); };
  const BasisLevels out{made(count), made(count - 1), made(count)};
  backend_for("basis_levels", Primitive::basis_levels, {basis})
      .basis_levels(args, basis.view(), out.levels.view(), out.midpoints.view(), out.codes.view());
  return out;
}

void basis_fit(const Tensor& codes, const Tensor& sums, const BasisFit& args, Tensor& basis) {
  check_basis("basis_fit", basis, args.basis);
  const int64_t tables = basis.size(0), count = int64_t{1} << args.basis.bits;
  check(codes.defined() && codes.shape() == Shape{tables, count} && sums.defined() &&
            sums.shape() == Shape{2, tables, count} && sums.dtype() == DType::f64,
        "basis_fit: expected codes and float64 sums of ", tables, " x ", count, " levels");
  backend_for("basis_fit", Primitive::basis_fit, {codes, basis})
      .basis_fit(args, codes.view(), sums.view(), basis.view());
}

Companding companding(const Tensor& theta, const Tensor& alpha, const CompandingArgs& args) {
  check_companding("companding", theta, alpha, args);
  const auto made = [&](int64_t n) { return Tensor::empty({n}, DType::f32, alpha.device()); };
  const int64_t n = args.entries();
  const Companding out{made(n - 1), made(n), made(n), made(n)};
  backend_for("companding", Primitive::companding, {theta, alpha})
      .companding(args, view_or_none(theta), alpha.view(),
                  {out.thresholds.view(), out.values.view(), out.slopes.view(), out.codes.view()});
  return out;
}

CompandingGrad companding_grad(const Tensor& theta, const Tensor& alpha, const Tensor& sums,
                               const CompandingArgs& args) {
  check_companding("companding_grad", theta, alpha, args);
  check(sums.defined() && sums.numel() == 2 * args.entries() && sums.dtype() == DType::f64,
        "companding_grad: expected float64 sums of ", args.entries(), " entries");
  const auto like = [](const Tensor& t) { return t ? Tensor::empty(t.shape(), DType::f32, t.device()) : Tensor(); };
  const CompandingGrad out{like(alpha), like(theta)};
  backend_for("companding_grad", Primitive::companding_grad, {theta, alpha})
      .companding_grad(args, view_or_none(theta), alpha.view(), sums.view(), out.dalpha.view(),
                       out.dtheta ? out.dtheta.view() : View{});
  return out;
}

}  // namespace ntq
