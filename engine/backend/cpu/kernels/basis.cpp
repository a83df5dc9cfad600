// LQ-Nets' levels and the fit of their basis (arXiv 1807.10029): small, serial, in float64.
#include "engine/backend/cholesky.h"
#include "engine/backend/cpu/kernels/kernels.h"

namespace ntq::cpu::NTQ_ISA {
namespace {

constexpr int kMostBits = kMostUnknowns;

/// What basis value `bit` is multiplied with in a code.
double factor(const BasisArgs& args, int code, int bit) {
  return (code >> bit & 1) != 0 ? 1 : args.both_signs ? -1 : 0;
}

void basis_levels(const BasisArgs& args, const float* basis, float* levels, float* midpoints, float* codes) {
  const int count = 1 << args.bits;
  double sums[1 << kMostBits];
  int order[1 << kMostBits];
  for (int code = 0; code < count; ++code) {
    double sum = 0;
    for (int bit = 0; bit < args.bits; ++bit) sum += factor(args, code, bit) * static_cast<double>(basis[bit]);
    int i = code;  // codes mostly rise with their levels
    for (; i > 0 && sums[i - 1] > sum; --i) sums[i] = sums[i - 1], order[i] = order[i - 1];
    sums[i] = sum, order[i] = code;
  }
  for (int i = 0; i < count; ++i) {
    levels[i] = static_cast<float>(sums[i]);
    codes[i] = static_cast<float>(order[i]);
    if (i > 0) midpoints[i - 1] = (levels[i - 1] + levels[i]) / 2;
  }
}

void basis_fit(const BasisFit& args, const float* codes, const double* sizes, const double* sums, float* basis) {
  const int bits = args.basis.bits, count = 1 << bits;
  SquareRows a[kMostUnknowns] = {}, root[kMostUnknowns];
  double b[kMostUnknowns] = {}, pulled[kMostUnknowns], v[kMostUnknowns];
  for (int level = 0; level < count; ++level) {
    const int code = static_cast<int>(codes[level]);
    for (int i = 0; i < bits; ++i) {
      const double e = factor(args.basis, code, i);
      b[i] += e * sums[level];
      for (int j = 0; j < bits; ++j) a[i][j] += e * factor(args.basis, code, j) * sizes[level];
    }
  }
  for (int i = 0; i < bits; ++i) pulled[i] = b[i] + args.ridge * static_cast<double>(basis[i]);
  const auto solve = [&](const double* right, double ridge) {
    return solve_cholesky(bits, a, right, ridge, root, v, [](double x) { return __builtin_sqrt(x); });
  };
  const bool found = (!args.always && solve(b, 0)) || solve(pulled, args.ridge);
  for (int i = 0; found && i < bits; ++i) {
    const auto old = static_cast<double>(basis[i]);
    basis[i] = static_cast<float>(old + args.share * (v[i] - old));
  }
}

}  // namespace

void fill_basis(Kernels& t) {
  t.basis_levels = basis_levels;
  t.basis_fit = basis_fit;
}

}  // namespace ntq::cpu::NTQ_ISA
