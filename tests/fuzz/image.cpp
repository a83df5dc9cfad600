// Any bytes as an image: pixels or a DataError, from both decoders.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "data/decoders.h"

namespace {

// Large images are slow, not wrong; the limit on pixels has its own test.
constexpr int64_t kMostPixels = 1 << 16;

void read(ntq::ImageFile& image) {
  const auto [height, width] = image.size();
  if (height * width > kMostPixels) return;
  image.read_rows(height / 4, height, width / 8, width, [](const uint8_t*) {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  for (const double factor : {1.0, 0.2}) {
    try {
      ntq::ImageFile image(bytes, "input");
      image.shrink(factor);
      read(image);
    } catch (const ntq::DataError&) {
    }
  }
  // JPEGs go to stb_image only in builds without libjpeg-turbo: docs/imagenet.md says what it is not safe from.
  if (size == 0 || data[0] == 0xFF) return 0;
  try {
    const ntq::ImageSize found = ntq::stb_image_size(bytes, "input");
    if (found.height * found.width <= kMostPixels) {
      ntq::stb_image_rows(bytes, "input", found, 0, found.height, [](const uint8_t*) {});
    }
  } catch (const ntq::DataError&) {
  }
  return 0;
}
