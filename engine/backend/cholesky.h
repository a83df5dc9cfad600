#pragma once
// Cholesky's method for kernels of all devices. Internal linkage: kernels compile it once per instruction set.

namespace ntq {
namespace {

constexpr int kMostUnknowns = 8;
using SquareRows = double[kMostUnknowns];

/// (matrix + ridge I) v = b for n unknowns; false when a pivot is not clearly positive. `a`: room for the root.
/// `square_root`: the device's.
template <class SquareRoot>
[[maybe_unused]] constexpr bool solve_cholesky(int n, const SquareRows* matrix, const double* b, double ridge,
                                               SquareRows* a, double* v, SquareRoot square_root) {
  double largest = ridge;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) a[i][j] = matrix[i][j] + (i == j ? ridge : 0);
    if (a[i][i] > largest) largest = a[i][i];
    v[i] = b[i];
  }
  for (int j = 0; j < n; ++j) {
    for (int k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k];
    if (!(a[j][j] > 1e-10 * largest)) return false;
    a[j][j] = square_root(a[j][j]);
    for (int i = j + 1; i < n; ++i) {
      for (int k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k];
      a[i][j] /= a[j][j];
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < i; ++k) v[i] -= a[i][k] * v[k];
    v[i] /= a[i][i];
  }
  for (int i = n - 1; i >= 0; --i) {
    for (int k = i + 1; k < n; ++k) v[i] -= a[k][i] * v[k];
    v[i] /= a[i][i];
  }
  return true;
}

}  // namespace
}  // namespace ntq
