#include "engine/shape.h"

#include <algorithm>
#include <ostream>

#include "base/check.h"

namespace ntq {

Shape::Shape(std::span<const int64_t> sizes) {
  check(sizes.size() <= kMaxRank, "shape: at most ", kMaxRank, " axes, found ", sizes.size());
  rank_ = static_cast<int>(sizes.size());
  int64_t count = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    check(sizes[i] >= 0, "shape: sizes must not be negative, found ", sizes[i], " at axis ", i);
    check(sizes[i] == 0 || count <= (int64_t{1} << 62) / sizes[i], "shape: more than 2^62 elements");
    count *= std::max<int64_t>(sizes[i], 1);
    sizes_[i] = sizes[i];
  }
}

int64_t Shape::operator[](int axis) const {
  const int at = axis < 0 ? axis + rank_ : axis;
  check(at >= 0 && at < rank_, "shape: no axis ", axis, " in ", *this);
  return sizes_[static_cast<size_t>(at)];
}

int64_t Shape::numel() const { return numel_from(0); }

int64_t Shape::numel_from(int first) const {
  check(first >= 0 && first <= rank_, "shape: no axis ", first, " in ", *this, " to count from");
  int64_t count = 1;
  for (int i = first; i < rank_; ++i) count *= sizes_[static_cast<size_t>(i)];
  return count;
}

std::string Shape::str() const {
  std::string text = "{";
  for (int i = 0; i < rank_; ++i) text += (i ? "," : "") + std::to_string(sizes_[static_cast<size_t>(i)]);
  return text + "}";
}

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(sizes(), other.sizes()); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.str(); }

}  // namespace ntq
