#include "quant/level_table.h"

#include <algorithm>
#include <cmath>

namespace ntq {

LevelTable::LevelTable(const Tensor& levels)
    : tables_(levels.shape().rank() == 2 ? levels.size(0) : 1),
      count_(levels.size(levels.shape().rank() - 1)),
      levels_(levels.to_vector()) {
  check(levels.shape().rank() <= 2 && count_ > 1, "LevelTable: expected {n} or {C, n} levels, found ", levels.shape());
  for (int64_t i = 0; i < tables_ * count_; ++i) {
    if ((i + 1) % count_ == 0) continue;
    const float low = levels_[static_cast<size_t>(i)], high = levels_[static_cast<size_t>(i + 1)];
    check(!(high < low), "LevelTable: levels must rise, found ", low, " before ", high);
    middles_.push_back((low + high) / 2);
  }
}

int64_t LevelTable::nearest(int64_t table, float x) const {
  const auto first = middles_.begin() + table * (count_ - 1);
  return std::lower_bound(first, first + (count_ - 1), x) - first;
}

int64_t LevelTable::run(const Tensor& x) const {
  check(tables_ == 1 || x.size(0) == tables_, "levels for ", tables_, " channels, found an input of ", x.shape());
  return x.numel() / tables_;
}

Tensor LevelTable::values(const Tensor& x) const {
  const int64_t elements = run(x);
  const Tensor host = x.detach().to(Device()), y = Tensor::empty(x.shape());
  const float* from = host.f32();
  float* to = y.f32();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t table = i / elements;
    to[i] = std::isfinite(from[i]) ? levels_[static_cast<size_t>(table * count_ + nearest(table, from[i]))] : NAN;
  }
  return y.to(x.device());
}

Tensor LevelTable::codes(const Tensor& x, QuantRange range) const {
  const int64_t elements = run(x);
  const Tensor host = x.detach().to(Device());
  const Tensor out = Tensor::empty(x.shape(), range.low < 0 ? DType::i8 : DType::u8);
  auto* bytes = static_cast<uint8_t*>(out.raw());
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto code = static_cast<int>(range.low) + static_cast<int>(nearest(i / elements, host.f32()[i]));
    bytes[i] = static_cast<uint8_t>(code);  // an int8 has the same bits
  }
  return out;
}

}  // namespace ntq
