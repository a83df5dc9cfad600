#include "data/crop.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/random.h"

namespace ntq {
namespace {

/// The 256 that goes with a crop of 224.
int64_t resized_side(int64_t side) { return (side * 256 + 112) / 224; }

uint32_t below(uint32_t word, int64_t bound) {
  return static_cast<uint32_t>((uint64_t{word} * static_cast<uint64_t>(bound)) >> 32);
}
/// Uniform in [0, 1).
double unit(uint32_t word) { return static_cast<double>(word) * 0x1p-32; }

/// All of `length` to `size`, the window of `count` from `first`.
ResampleAxis whole(int64_t length, int64_t size, int64_t first, int64_t count) {
  return {.begin = 0, .end = static_cast<double>(length), .size = size, .first = first, .count = count};
}

/// [begin, begin + length) to `side`.
ResampleAxis part(int64_t begin, int64_t length, int64_t side) {
  const auto at = static_cast<double>(begin);
  return {.begin = at, .end = at + static_cast<double>(length), .size = side, .first = 0, .count = side};
}

/// Half of what is left over, as torchvision rounds it: to the nearest, halves to even.
int64_t middle(int64_t size, int64_t side) { return std::llrint(static_cast<double>(size - side) / 2.0); }

/// Ten draws of an area and an aspect that have to fit; then the largest middle part of an allowed aspect.
Crop random_part(ImageSize source, int64_t side, const RandomKey& key, uint64_t index) {
  constexpr double kSmallest = 0.08, kLog = 0.28768207245178085;  // log(4/3)
  const auto height = static_cast<double>(source.height), width = static_cast<double>(source.width);
  for (uint64_t attempt = 0; attempt < 10; ++attempt) {
    const auto words = random_block(key, index * 10 + attempt);
    const double area = height * width * (kSmallest + (1 - kSmallest) * unit(words[0]));
    const double aspect = std::exp(kLog * (2 * unit(words[1]) - 1));
    const auto w = std::llrint(std::sqrt(area * aspect)), h = std::llrint(std::sqrt(area / aspect));
    if (w < 1 || h < 1 || w > source.width || h > source.height) continue;
    const auto x = below(words[2], source.width - w + 1), y = below(words[3], source.height - h + 1);
    return {part(x, w, side), part(y, h, side)};
  }
  int64_t w = source.width, h = source.height;
  if (width / height < 0.75) {
    h = std::llrint(width / 0.75);
  } else if (width / height > 4.0 / 3.0) {
    w = std::llrint(height * (4.0 / 3.0));
  }
  w = std::clamp<int64_t>(w, 1, source.width), h = std::clamp<int64_t>(h, 1, source.height);
  return {part((source.width - w) / 2, w, side), part((source.height - h) / 2, h, side)};
}

}  // namespace

Protocol parse_protocol(const std::string& name) {
  check(name == "paper" || name == "field", "unknown image protocol '", name, "', expected paper or field");
  return name == "paper" ? Protocol::paper : Protocol::field;
}

Crop center_crop(Protocol protocol, ImageSize source, int64_t side) {
  const int64_t to = resized_side(side);
  int64_t height = to, width = to;
  if (protocol == Protocol::field) {
    (source.width < source.height ? height : width) =
        to * std::max(source.width, source.height) / std::min(source.width, source.height);
  }
  return {whole(source.width, width, middle(width, side), side),
          whole(source.height, height, middle(height, side), side)};
}

Crop random_crop(Protocol protocol, ImageSize source, int64_t side, uint64_t seed, int64_t epoch, int64_t index) {
  static const uint32_t window = stream_id("data.augment"), area = stream_id("data.area");
  const auto step = static_cast<uint32_t>(epoch);
  const auto words = random_block({seed, window, step}, static_cast<uint64_t>(index));
  Crop crop;
  if (protocol == Protocol::paper) {
    const int64_t to = resized_side(side), places = to - side + 1;
    crop = {whole(source.width, to, below(words[1], places), side),
            whole(source.height, to, below(words[0], places), side)};
  } else {
    crop = random_part(source, side, {seed, area, step}, static_cast<uint64_t>(index));
  }
  crop.mirror = (words[2] >> 31) != 0;
  return crop;
}

Crop rescaled(Crop crop, ImageSize from, ImageSize to) {
  const auto scale = [](ResampleAxis& axis, int64_t old_length, int64_t length) {
    const double factor = static_cast<double>(length) / static_cast<double>(old_length);
    axis.begin *= factor;
    axis.end = std::min(axis.end * factor, static_cast<double>(length));
  };
  scale(crop.horizontal, from.width, to.width);
  scale(crop.vertical, from.height, to.height);
  return crop;
}

}  // namespace ntq
