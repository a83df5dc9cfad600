#pragma once
// The sizes of a tensor, outermost first. Row-major, no strides.
#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>

namespace ntq {

/// Up to kMaxRank sizes, each >= 0. A rank-0 shape holds one element.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  /// Throws std::invalid_argument for a negative size, more than kMaxRank sizes or more than 2^62 elements.
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);

  int rank() const { return rank_; }
  /// Size of one axis; negative counts from the back. Throws std::invalid_argument when there is no such axis.
  int64_t operator[](int axis) const;
  /// Number of elements.
  int64_t numel() const;
  /// Product of the sizes from axis `first` in [0, rank] on.
  int64_t numel_from(int first) const;
  std::span<const int64_t> sizes() const { return {sizes_.data(), static_cast<size_t>(rank_)}; }
  /// "{128,32,32,16}".
  std::string str() const;
  bool operator==(const Shape& other) const;

 private:
  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace ntq
