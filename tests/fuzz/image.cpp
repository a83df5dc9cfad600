// Any bytes as an image: pixels or a DataError, from both decoders.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/crc32.h"
#include "data/decoders.h"
#include "data/image_format.h"

namespace {

// Large images are slow, not wrong; the limit on pixels has its own test.
constexpr int64_t kMostPixels = 1 << 16;

void read(ntq::ImageFile& image) {
  const auto [height, width] = image.size();
  if (height * width > kMostPixels) return;
  image.read_rows(height / 4, height, width / 8, width, [](const uint8_t*) {});
}

/// A PNG's chunks with the checksums that they should have: a fuzzer finds none.
std::vector<uint8_t> with_sums(std::span<const uint8_t> bytes) {
  std::vector<uint8_t> out(bytes.begin(), bytes.end());
  if (ntq::image_format(bytes) != ntq::ImageFormat::png) return out;
  for (size_t at = 8; at + 12 <= out.size();) {
    uint8_t* const p = out.data() + at;
    const size_t length = size_t{p[0]} << 24 | size_t{p[1]} << 16 | size_t{p[2]} << 8 | p[3];
    if (length > out.size() - at - 12) break;
    ntq::Crc32 sum;
    sum.add(p + 4, length + 4);
    for (int i = 0; i < 4; ++i)
      p[8 + length + static_cast<size_t>(i)] = static_cast<uint8_t>(sum.value() >> (24 - 8 * i));
    at += 12 + length;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> bytes = with_sums({data, size});
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
