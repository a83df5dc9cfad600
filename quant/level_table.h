#pragma once
// Quantization to any table of levels, by the nearest one. Works on the host, whatever device the input is on.
#include <vector>

#include "engine/backend/args.h"
#include "engine/tensor.h"

namespace ntq {

/// Levels and the midpoints between them. Of a value on a midpoint the lower level is the nearest.
class LevelTable {
 public:
  /// {n}, or {C, n}: one table for each slice of the input's first axis; each rises. Throws std::invalid_argument else.
  explicit LevelTable(const Tensor& levels);
  int64_t tables() const { return tables_; }
  int64_t count() const { return count_; }
  int64_t nearest(int64_t table, float x) const;
  /// The levels nearest to x; not a number where x is not finite. Not recorded.
  Tensor values(const Tensor& x) const;
  /// Their places in the table, the first being range.low; one byte each: int8 where the range begins below 0, else
  /// uint8.
  Tensor codes(const Tensor& x, QuantRange range) const;

 private:
  /// Elements of x that share a table.
  int64_t run(const Tensor& x) const;
  int64_t tables_, count_;
  std::vector<float> levels_, middles_;
};

}  // namespace ntq
