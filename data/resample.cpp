#include "data/resample.h"

#include <algorithm>
#include <cmath>

#include "engine/backend/cpu/isa.h"
#include "engine/check.h"

namespace ntq {
std::vector<Taps> bilinear_taps(const ResampleAxis& a) {
  check(a.size >= 1 && a.first >= 0 && a.count >= 1 && a.first + a.count <= a.size && a.begin >= 0 && a.end > a.begin,
        "bilinear_taps: [", a.begin, ", ", a.end, ") to ", a.size, " pixels, of which ", a.count, " from ", a.first,
        ": expected a window within the result and a part of the source that is not empty");
  const double scale = (a.end - a.begin) / static_cast<double>(a.size), reach = std::max(scale, 1.0);
  const auto lowest = static_cast<int64_t>(std::floor(a.begin)), highest = static_cast<int64_t>(std::ceil(a.end));
  std::vector<Taps> all(static_cast<size_t>(a.count));
  for (int64_t i = 0; i < a.count; ++i) {
    const double center = a.begin + (static_cast<double>(a.first + i) + 0.5) * scale;
    const int64_t begin = std::max(static_cast<int64_t>(std::floor(center - reach + 0.5)), lowest);
    const int64_t end = std::min(static_cast<int64_t>(std::floor(center + reach + 0.5)), highest);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t x = begin; x < end; ++x) {
      weights.push_back(std::max(0.0, 1.0 - std::abs((static_cast<double>(x) + 0.5 - center) / reach)));
      sum += weights.back();
    }
    Taps& taps = all[static_cast<size_t>(i)];
    taps.begin = begin;
    for (const double w : weights) taps.weights.push_back(static_cast<float>(w / sum));
    while (taps.weights.size() > 1 && taps.weights.back() == 0.0f) taps.weights.pop_back();
  }
  return all;
}

Resampler::Resampler(const ResampleAxis& horizontal, const ResampleAxis& vertical)
    : kernels_(cpu::chosen_kernels()), columns_(bilinear_taps(horizontal)), rows_(bilinear_taps(vertical)) {
  pixels_ = static_cast<int64_t>(columns_.size());
  for (const Taps& taps : columns_) taps_ = std::max(taps_, static_cast<int64_t>(taps.weights.size()));
  taps_ += taps_ % 2;
  for (const Taps& taps : columns_) {
    begins_.push_back(taps.begin);
    for (size_t k = 0; k < static_cast<size_t>(taps_); ++k)
      weights_.insert(weights_.end(), 4, k < taps.weights.size() ? taps.weights[k] : 0.0f);
  }
  for (const Taps& taps : rows_) slots_ = std::max(slots_, static_cast<int64_t>(taps.weights.size()));
  width_ = (4 * pixels_ + 7) / 8 * 8;
  line_.resize(4 * static_cast<size_t>(right() - left() + taps_));
  ring_.resize(static_cast<size_t>(slots_ * width_));
  mixed_.resize(static_cast<size_t>(slots_));
  out_.resize(static_cast<size_t>(width_));
  pushed_ = first_row();
}

int64_t Resampler::end(const std::vector<Taps>& all) {
  return all.back().begin + static_cast<int64_t>(all.back().weights.size());
}

void Resampler::push(int64_t y, const uint8_t* rgbx) {
  check(y == pushed_ && y < end_row(), "Resampler: expected row ", pushed_, " of ", end_row(), ", found row ", y);
  ++pushed_;
  kernels_.widen_bytes(rgbx + 4 * left(), line_.data(), 4 * (right() - left()));
  kernels_.resample_row({line_.data(), begins_.data(), left(), weights_.data(), taps_, pixels_},
                        ring_.data() + width_ * (y % slots_));
}

const uint8_t* Resampler::pop() {
  if (popped_ == rows_.size()) return nullptr;
  const Taps& taps = rows_[popped_];
  const auto count = static_cast<int64_t>(taps.weights.size());
  if (taps.begin + count > pushed_) return nullptr;
  ++popped_;
  for (int64_t k = 0; k < count; ++k)
    mixed_[static_cast<size_t>(k)] = ring_.data() + width_ * ((taps.begin + k) % slots_);
  kernels_.mix_rows(mixed_.data(), taps.weights.data(), count, width_, out_.data());
  return out_.data();
}

}  // namespace ntq
