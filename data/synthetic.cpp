// Images made in code, for tests and benchmarks: ten classes that a small network tells apart within an epoch or two.
#include "data/class_names.h"
#include "data/memory_dataset.h"
#include "data/sources.h"
#include "engine/random.h"

namespace ntq {
namespace {

constexpr int64_t kSide = 32, kImage = kSide * kSide * 3, kClasses = 10;
constexpr int kNoise = 96;  // width of the uniform noise

/// Light or dark at a pixel. Each of the five textures looks the same mirrored, so that flips keep the label.
bool texture(int kind, int x, int y) {
  const bool across = x / 4 % 2 == 0, down = y / 4 % 2 == 0;
  switch (kind) {
    case 0: return across;           // upright stripes
    case 1: return down;             // level stripes
    case 2: return across == down;   // chessboard
    case 3: return across && down;   // light dots
    default: return across || down;  // dark dots
  }
}

/// Class = texture + 5 * tint. Integer arithmetic only: the same bytes everywhere.
void draw(const RandomKey& key, int32_t label, uint8_t* pixels) {
  const auto shift = random_block(key, 0);
  const int dx = static_cast<int>(shift[0] % 8), dy = static_cast<int>(shift[1] % 8);
  const int tint[3] = {label < 5 ? 24 : -24, 0, label < 5 ? -24 : 24};
  std::array<uint32_t, 4> words{};
  for (int64_t i = 0; i < kImage; ++i) {
    if (i % 16 == 0) words = random_block(key, static_cast<uint64_t>(1 + i / 16));
    const auto noise = static_cast<int>(words[static_cast<size_t>(i / 4 % 4)] >> (8 * (i % 4)) & 0xFF);
    const int x = static_cast<int>(i / 3 % kSide), y = static_cast<int>(i / 3 / kSide);
    const int light = texture(label % 5, x + dx, y + dy) ? 48 : -48;
    const int value = 128 + light + tint[i % 3] + noise * kNoise / 256 - kNoise / 2;  // within [8, 248]
    pixels[i] = static_cast<uint8_t>(value);
  }
}

std::shared_ptr<Dataset> make(const char* part, int64_t count, const std::vector<std::string>& classes) {
  std::vector<uint8_t> pixels(static_cast<size_t>(count * kImage));
  std::vector<int32_t> labels(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    labels[static_cast<size_t>(i)] = static_cast<int32_t>(i % kClasses);
    draw({0, stream_id(part), static_cast<uint32_t>(i)}, static_cast<int32_t>(i % kClasses),
         pixels.data() + i * kImage);
  }
  DatasetInfo info{"synthetic", kSide, kSide, 3, kClasses, {.5f, .5f, .5f}, {.25f, .25f, .25f}, true};
  for (int64_t i = 0; i < kClasses; ++i) info.class_names.push_back(std::to_string(i));
  relabel(info, labels, classes);
  return std::make_shared<MemoryDataset>(std::move(info), std::move(pixels), std::move(labels));
}

}  // namespace

DatasetPair open_synthetic(const OpenRequest& request) {
  const DatasetOptions& o = request.options;
  return {make("synthetic train", limited(2000, o.limit_train), o.class_names),
          make("synthetic val", limited(500, o.limit_val), o.class_names)};
}

}  // namespace ntq
