// Quantization to tables: entries and sums by table and by part, joined in order; the curves behind the tables.
#include <algorithm>

#include "base/ceil_div.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/in_float32.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu/views.h"

namespace ntq::cpu {
namespace {

/// kernel(table, first element, elements, sums) for each part of each table's run of n elements in all.
template <class Kernel>
void each_part(Primitives& backend, const LookUpTable& t, int64_t n, View sums, const Kernel& kernel) {
  const int64_t tables = t.tables(), count = t.count(), run = n / tables;
  const float* const thresholds = values(t.thresholds, tables * (count - 1));
  const float* const entries = values(t.entries, tables * count);
  const int64_t parts = std::max<int64_t>(1, ceil_div(run, kGrain));
  const Scratch partial(backend, sums ? tables * parts * 2 * count : 0, DType::f64);
  auto* const found = sums ? static_cast<double*>(partial.view().data) : nullptr;
  parallel_for(tables * parts, std::min(run, kGrain) * (sums ? 8 : 2), [&](int64_t i) {
    const int64_t table = i / parts, begin = i % parts * kGrain;
    kernel(Entries{thresholds + table * (count - 1), entries + table * count, count}, table * run + begin,
           std::min(kGrain, run - begin), found ? found + i * 2 * count : nullptr);
  });
  if (!sums) return;
  for (int64_t half = 0; half < 2; ++half) {
    for (int64_t at = 0; at < tables * count; ++at) {
      const int64_t table = at / count, entry = at % count;
      double total = 0;
      for (int64_t part = 0; part < parts; ++part) total += found[((table * parts + part) * 2 + half) * count + entry];
      put_number(total, sums.part(half * tables * count + at, 1));
    }
  }
}

Companded companded(const CompandingArgs& args, ConstView theta, ConstView alpha) {
  return {values(theta, args.pieces), values(alpha, 1)};
}

}  // namespace

void CpuBackend::look_up(const LookUpTable& table, ConstView x, View y, View sums) {
  InFloat32 wide(*this);
  const float* const from = wide.in(x, y.size);
  float* const to = wide.out(y, y.size);
  each_part(*this, table, y.size, sums, [=, this](const Entries& t, int64_t at, int64_t n, double* found) {
    k_.look_up(t, from + at, to + at, n, found);
  });
  wide.finish();
}

void CpuBackend::look_up_grad(const LookUpTable& table, ConstView x, ConstView dy, View dx, View sums) {
  InFloat32 wide(*this);
  const float *const from = wide.in(x, dx.size), *const grad = wide.in(dy, dx.size);
  float* const to = wide.out(dx, dx.size);
  each_part(*this, table, dx.size, sums, [=, this](const Entries& t, int64_t at, int64_t n, double* found) {
    k_.look_up_grad(t, from + at, grad + at, to + at, n, found);
  });
  wide.finish();
}

void CpuBackend::basis_levels(const BasisArgs& args, ConstView basis, View levels, View midpoints, View codes) {
  const int64_t tables = basis.size / args.bits, count = int64_t{1} << args.bits;
  const float* const from = values(basis, tables * args.bits);
  float *const to = values(levels, tables * count), *const middle = values(midpoints, tables * (count - 1));
  float* const code = values(codes, tables * count);
  for (int64_t t = 0; t < tables; ++t)
    k_.basis_levels(args, from + t * args.bits, to + t * count, middle + t * (count - 1), code + t * count);
}

void CpuBackend::basis_fit(const BasisFit& args, ConstView codes, ConstView sums, View basis) {
  const int64_t bits = args.basis.bits, tables = basis.size / bits, count = int64_t{1} << bits;
  const float* const code = values(codes, tables * count);
  const auto* const sizes = values<double>(sums, 2 * tables * count);
  float* const to = values(basis, tables * bits);
  for (int64_t t = 0; t < tables; ++t)
    k_.basis_fit(args, code + t * count, sizes + t * count, sizes + (tables + t) * count, to + t * bits);
}

void CpuBackend::companding(const CompandingArgs& args, ConstView theta, ConstView alpha,
                            const CompandingTable& table) {
  const int64_t n = args.entries();
  k_.companding(
      args, companded(args, theta, alpha),
      {values(table.thresholds, n - 1), values(table.values, n), values(table.slopes, n), values(table.codes, n)});
}

void CpuBackend::companding_grad(const CompandingArgs& args, ConstView theta, ConstView alpha, ConstView sums,
                                 View dalpha, View dtheta) {
  k_.companding_grad(args, companded(args, theta, alpha), values<double>(sums, 2 * args.entries()), values(dalpha, 1),
                     values(dtheta, args.pieces));
}

}  // namespace ntq::cpu
