#pragma once
// A few directions through a point of many dimensions, whose matrix is never stored.
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace ntq {

/// Entries of one row of a matrix, the same each time: all that is known of it.
using MatrixRow = std::function<void(int64_t row, std::span<double> entries)>;

/// Entries uniform in [0, 1): element row * columns + column of Philox (seed, stream "sharpness", step `draw`).
MatrixRow random_rows(uint64_t seed, uint32_t draw);

/// The columns of A {rows, columns}, each scaled to length 1. Sums are in float64, over the rows in their order; each
/// call goes through the rows once.
class Subspace {
 public:
  Subspace(int64_t rows, int64_t columns, MatrixRow entries);
  int64_t columns() const { return static_cast<int64_t>(length_.size()); }
  /// b of least squares of A b - x, by normal equations. Throws std::invalid_argument where columns depend on each
  /// other.
  std::vector<double> coordinates(const std::vector<float>& x) const;
  /// A^T g.
  std::vector<double> transposed_times(const std::vector<double>& g) const;
  /// x + A y, rounded once.
  std::vector<float> moved(const std::vector<float>& x, const std::vector<double>& y) const;

 private:
  template <class Visit>
  void each_row(Visit&& visit) const;
  template <class T>
  std::vector<double> products(const std::vector<T>& x) const;

  int64_t rows_;
  MatrixRow entries_;
  std::vector<double> length_;  // of each column before scaling
  std::vector<double> gram_;    // {columns, columns}, lower half, before scaling
};

}  // namespace ntq
