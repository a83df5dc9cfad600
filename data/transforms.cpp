#include "data/transforms.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "data/kernels/kernels.h"
#include "engine/random.h"

namespace ntq {
namespace {

/// Uniform in [0, bound), as random_below() does it.
uint32_t below(uint32_t word, uint32_t bound) { return static_cast<uint32_t>((uint64_t{word} * bound) >> 32); }

using Table = std::array<std::array<float, 256>, 3>;

/// `count` pixels; `step` +1 walks the source forwards, -1 backwards.
template <int C>
void convert(const Table& table, const uint8_t* in, int64_t step, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    for (int c = 0; c < C; ++c) out[i * C + c] = table[static_cast<size_t>(c)][in[i * step * C + c]];
  }
}

template <int C>
void fill_black(const Table& table, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    for (int c = 0; c < C; ++c) out[i * C + c] = table[static_cast<size_t>(c)][0];
  }
}

template <int C>
void transform(const Table& table, const uint8_t* pixels, int64_t height, int64_t width, const Augmentation& how,
               float* out) {
  const int64_t down = how.top - how.pad, right = how.left - how.pad;
  // Window columns [begin, end) lie on the image; the rest is padding.
  const int64_t begin = std::clamp<int64_t>(-right, 0, width), end = std::clamp<int64_t>(width - right, begin, width);
  const int64_t first = how.mirror ? width - end : begin;  // where they go in the output row
  for (int64_t y = 0; y < height; ++y, out += width * C) {
    const int64_t row = y + down;
    if (row < 0 || row >= height || begin == end) {
      fill_black<C>(table, width, out);
      continue;
    }
    const uint8_t* source = pixels + (row * width + right + (how.mirror ? end - 1 : begin)) * C;
    fill_black<C>(table, first, out);
    convert<C>(table, source, how.mirror ? -1 : 1, end - begin, out + first * C);
    fill_black<C>(table, width - first - (end - begin), out + (first + end - begin) * C);
  }
}

}  // namespace

std::vector<uint32_t> epoch_order(uint64_t seed, int64_t epoch, int64_t size) {
  std::vector<uint32_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), 0u);
  const RandomKey key{seed, stream_id("data.shuffle"), static_cast<uint32_t>(epoch)};
  std::array<uint32_t, 4> words{};
  uint32_t draw = 0;
  for (auto left = static_cast<uint32_t>(size); left > 1; --left, ++draw) {
    if (draw % 4 == 0) words = random_block(key, draw / 4);
    std::swap(order[left - 1], order[below(words[draw % 4], left)]);
  }
  return order;
}

Augmentation draw_augmentation(uint64_t seed, int64_t epoch, int64_t index, int pad, bool may_mirror) {
  static const uint32_t stream = stream_id("data.augment");
  const auto words = random_block({seed, stream, static_cast<uint32_t>(epoch)}, static_cast<uint64_t>(index));
  const auto places = static_cast<uint32_t>(2 * pad + 1);
  return {pad, static_cast<int>(below(words[0], places)), static_cast<int>(below(words[1], places)),
          may_mirror && (words[2] >> 31) != 0};
}

Transform::Transform(const DatasetInfo& info) : height_(info.height), width_(info.width), channels_(info.channels) {
  check(height_ > 0 && width_ > 0 && channels_ >= 1 && channels_ <= 3, "data set ", info.name,
        ": images need a positive size and 1 to 3 channels, found ", height_, "x", width_, "x", channels_);
  for (size_t c = 0; c < static_cast<size_t>(channels_); ++c) {
    check(info.deviation[c] > 0, "data set ", info.name, ": deviation of channel ", c, " is ", info.deviation[c],
          ", expected above 0");
    scale_[c] = 1 / (255 * info.deviation[c]);
    shift_[c] = -info.mean[c] / info.deviation[c];
    for (size_t value = 0; value < 256; ++value) {
      table_[c][value] = (static_cast<float>(value) / 255.0f - info.mean[c]) / info.deviation[c];
    }
  }
}

void Transform::row(const uint8_t* rgbx, int64_t count, bool mirror, float* out) const {
  photo::chosen_kernels().scale_row(scale_.data(), shift_.data(), rgbx, count, mirror, out);
}

void Transform::operator()(const uint8_t* pixels, const Augmentation& augmentation, float* out) const {
  const auto run = channels_ == 1 ? transform<1> : channels_ == 2 ? transform<2> : transform<3>;
  run(table_, pixels, height_, width_, augmentation, out);
}

}  // namespace ntq
