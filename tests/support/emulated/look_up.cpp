// Tables of levels, by the portable kernels.
#include <vector>

#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cuda/cuda_backend.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cpu::portable {
const Kernels& kernels();
}

namespace ntq::cuda {
namespace {

/// call(table, first element, elements, sums) for each table, its sums written behind.
template <class Call>
void each_table(const LookUpTable& t, int64_t n, View sums, const Call& call) {
  const int64_t tables = t.tables(), count = t.count(), run = n / tables;
  std::vector<double> found(static_cast<size_t>(2 * count));
  for (int64_t i = 0; i < tables; ++i) {
    call(cpu::Entries{floats(t.thresholds) + i * (count - 1), floats(t.entries) + i * count, count}, i * run, run,
         sums ? found.data() : nullptr);
    for (int64_t k = 0; sums && k < 2 * count; ++k) {
      const int64_t to = (k / count * tables + i) * count + k % count;
      if (sums.type == DType::f64) static_cast<double*>(sums.data)[to] = found[static_cast<size_t>(k)];
      if (sums.type == DType::f32) floats(sums)[to] = static_cast<float>(found[static_cast<size_t>(k)]);
    }
  }
}

const cpu::Kernels& plain() { return cpu::portable::kernels(); }

const double* doubles(ConstView view) { return static_cast<const double*>(view.data); }

}  // namespace

void CudaBackend::look_up(const LookUpTable& table, ConstView x, View y, View sums) {
  stream_->state().later([=] {
    each_table(table, y.size, sums, [&](const cpu::Entries& t, int64_t at, int64_t n, double* found) {
      plain().look_up(t, floats(x) + at, floats(y) + at, n, found);
    });
  });
}

void CudaBackend::look_up_grad(const LookUpTable& table, ConstView x, ConstView dy, View dx, View sums) {
  stream_->state().later([=] {
    each_table(table, dx.size, sums, [&](const cpu::Entries& t, int64_t at, int64_t n, double* found) {
      plain().look_up_grad(t, floats(x) + at, floats(dy) + at, floats(dx) + at, n, found);
    });
  });
}

void CudaBackend::basis_levels(const BasisArgs& args, ConstView basis, View levels, View midpoints, View codes) {
  stream_->state().later([=] {
    const int64_t count = int64_t{1} << args.bits;
    for (int64_t i = 0; i < basis.size / args.bits; ++i)
      plain().basis_levels(args, floats(basis) + i * args.bits, floats(levels) + i * count,
                           floats(midpoints) + i * (count - 1), floats(codes) + i * count);
  });
}

void CudaBackend::basis_fit(const BasisFit& args, ConstView codes, ConstView sums, View basis) {
  stream_->state().later([=] {
    const int64_t bits = args.basis.bits, count = int64_t{1} << bits;
    for (int64_t i = 0; i < basis.size / bits; ++i)
      plain().basis_fit(args, floats(codes) + i * count, doubles(sums) + i * count,
                        doubles(sums) + sums.size / 2 + i * count, floats(basis) + i * bits);
  });
}

void CudaBackend::companding(const CompandingArgs& args, ConstView theta, ConstView alpha, const CompandingTable& t) {
  stream_->state().later([=] {
    plain().companding(args, {floats(theta), floats(alpha)},
                       {floats(t.thresholds), floats(t.values), floats(t.slopes), floats(t.codes)});
  });
}

void CudaBackend::companding_grad(const CompandingArgs& args, ConstView theta, ConstView alpha, ConstView sums,
                                  View dalpha, View dtheta) {
  stream_->state().later([=] {
    plain().companding_grad(args, {floats(theta), floats(alpha)}, doubles(sums), floats(dalpha), floats(dtheta));
  });
}

}  // namespace ntq::cuda
