#include "data/resample.h"

#include <algorithm>
#include <cmath>

#include "base/ceil_div.h"
#include "base/check.h"
#include "data/kernels/kernels.h"

namespace ntq {
namespace {

/// Rounds weights that sum to 1; what is left over goes to the largest, where it matters least.
void to_integers(const std::vector<double>& weights, int16_t* out) {
  int32_t left = photo::kResampleOne;
  size_t largest = 0;
  for (size_t k = 0; k < weights.size(); ++k) {
    out[k] = static_cast<int16_t>(std::lround(weights[k] * photo::kResampleOne));
    left -= out[k];
    if (weights[k] > weights[largest]) largest = k;
  }
  out[largest] = static_cast<int16_t>(out[largest] + left);
}

}  // namespace

ResampleFilter bilinear_filter(const ResampleAxis& a) {
  check(a.size >= 1 && a.first >= 0 && a.count >= 1 && a.first + a.count <= a.size && a.begin >= 0 && a.end > a.begin,
        "bilinear_filter: [", a.begin, ", ", a.end, ") to ", a.size, " pixels, of which ", a.count, " from ", a.first,
        ": expected a window within the result and a part of the source that is not empty");
  const double scale = (a.end - a.begin) / static_cast<double>(a.size), reach = std::max(scale, 1.0);
  const auto lowest = static_cast<int64_t>(std::floor(a.begin)), highest = static_cast<int64_t>(std::ceil(a.end));
  ResampleFilter filter;
  const int64_t most = std::min(static_cast<int64_t>(std::ceil(2 * reach)) + 1, highest - lowest);
  filter.weights.resize(static_cast<size_t>(a.count * most));
  std::vector<double> weights;
  for (int64_t i = 0; i < a.count; ++i) {
    const double center = a.begin + (static_cast<double>(a.first + i) + 0.5) * scale;
    const int64_t begin = std::max(static_cast<int64_t>(std::floor(center - reach + 0.5)), lowest);
    const int64_t end = std::min(static_cast<int64_t>(std::floor(center + reach + 0.5)), highest);
    weights.clear();
    double sum = 0;
    for (int64_t x = begin; x < end; ++x) {
      weights.push_back(std::max(0.0, 1.0 - std::abs((static_cast<double>(x) + 0.5 - center) / reach)));
      sum += weights.back();
    }
    for (double& w : weights) w /= sum;
    int16_t* out = filter.weights.data() + i * most;
    to_integers(weights, out);
    auto count = static_cast<int32_t>(weights.size());
    while (count > 1 && out[count - 1] == 0) --count;
    filter.begins.push_back(static_cast<int32_t>(begin));
    filter.counts.push_back(count);
  }
  // Often fewer than there might be: 500 pixels to 256 take 4 each, not 5, and so half the instructions.
  filter.taps = *std::max_element(filter.counts.begin(), filter.counts.end());
  for (int64_t i = 1; i < a.count; ++i) {
    std::copy_n(filter.weights.begin() + i * most, filter.taps, filter.weights.begin() + i * filter.taps);
  }
  filter.weights.resize(static_cast<size_t>(a.count * filter.taps));
  return filter;
}

Resampler::Resampler(const ResampleAxis& horizontal, const ResampleAxis& vertical)
    : kernels_(photo::chosen_kernels()),
      horizontal_(bilinear_filter(horizontal)),
      vertical_(bilinear_filter(vertical)) {
  const int64_t pixels = horizontal_.pixels(), taps = horizontal_.taps;
  row_taps_ = round_up(taps, 4);
  row_weights_.resize(static_cast<size_t>(pixels * row_taps_ * 4));
  for (int64_t i = 0; i < pixels; ++i) {
    row_begins_.push_back(horizontal_.begins[static_cast<size_t>(i)] - static_cast<int32_t>(left()));
    for (int64_t k = 0; k < taps; ++k) {
      int16_t* pair = row_weights_.data() + i * row_taps_ * 4 + k / 2 * 8 + k % 2;
      for (int64_t c = 0; c < 4; ++c) pair[2 * c] = horizontal_.weights[static_cast<size_t>(i * taps + k)];
    }
  }
  width_ = round_up(4 * pixels, 16);
  line_.resize(static_cast<size_t>(4 * (right() - left() + row_taps_)));
  ring_.resize(static_cast<size_t>(vertical_.taps * width_));
  mixed_.resize(static_cast<size_t>(vertical_.taps + 1));
  mix_weights_.resize(static_cast<size_t>(vertical_.taps + 1));
  out_.resize(static_cast<size_t>(width_));
  pushed_ = first_row();
}

void Resampler::push(int64_t y, const uint8_t* rgbx) {
  check(y == pushed_ && y < end_row(), "Resampler: expected row ", pushed_, " of ", end_row(), ", found row ", y);
  ++pushed_;
  std::copy_n(rgbx + 4 * left(), 4 * (right() - left()), line_.begin());
  kernels_.resample_row({line_.data(), row_begins_.data(), row_weights_.data(), row_taps_, horizontal_.pixels()},
                        ring_.data() + width_ * (y % vertical_.taps));
}

const uint8_t* Resampler::pop() {
  if (popped_ == vertical_.pixels()) return nullptr;
  const auto i = static_cast<size_t>(popped_);
  const int64_t begin = vertical_.begins[i], count = vertical_.counts[i];
  if (begin + count > pushed_) return nullptr;
  ++popped_;
  for (int64_t k = 0; k < count; ++k) {
    mixed_[static_cast<size_t>(k)] = ring_.data() + width_ * ((begin + k) % vertical_.taps);
    mix_weights_[static_cast<size_t>(k)] =
        vertical_.weights[i * static_cast<size_t>(vertical_.taps) + static_cast<size_t>(k)];
  }
  if (count % 2 != 0) {
    mixed_[static_cast<size_t>(count)] = ring_.data();
    mix_weights_[static_cast<size_t>(count)] = 0;
  }
  kernels_.mix_rows(mixed_.data(), mix_weights_.data(), (count + 1) / 2 * 2, width_, out_.data());
  return out_.data();
}

}  // namespace ntq
