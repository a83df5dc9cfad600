#include "data/network_image.h"

#include <algorithm>

#include "base/check.h"
#include "data/image_folder.h"

namespace ntq {
namespace {

/// All of an image that has the network's size; resampled by 1, which changes nothing.
Crop whole_image(const std::filesystem::path& path, const NetworkImage& wanted, ImageSize size) {
  if (size.height != wanted.height || size.width != wanted.width) {
    throw BadImageError(concat(path.string(), ": expected an image of ", wanted.width, "x", wanted.height,
                               " pixels, as the network reads them, found ", size.width, "x", size.height));
  }
  const auto axis = [](int64_t n) {
    return ResampleAxis{.begin = 0, .end = static_cast<double>(n), .size = n, .first = 0, .count = n};
  };
  return {axis(size.width), axis(size.height)};
}

}  // namespace

std::vector<uint8_t> read_network_image(const std::filesystem::path& path, const NetworkImage& wanted) {
  const int64_t height = wanted.height, width = wanted.width, channels = wanted.channels;
  const bool whole = wanted.crop == "whole";
  check(whole ? channels == 1 || channels == 3 : channels == 3 && height == width,
        "network image: expected squares of 3 channels, or whole images of 1 or 3, found ", height, "x", width, "x",
        channels, " of crop ", wanted.crop);
  const CropPlan plan = [&](ImageSize size) {
    return whole ? whole_image(path, wanted, size) : center_crop(parse_protocol(wanted.crop), size, height);
  };
  std::vector<uint8_t> pixels(static_cast<size_t>(height * width * channels));
  read_crop(path, !whole && wanted.fast_decode, plan, [&](int64_t row, const uint8_t* rgbx) {
    uint8_t* out = pixels.data() + row * width * channels;
    for (int64_t x = 0; x < width; ++x, rgbx += 4, out += channels) {
      if (channels == 1 && (rgbx[0] != rgbx[1] || rgbx[0] != rgbx[2]))
        throw BadImageError(concat(path.string(), ": expected a gray image, found colours"));
      std::copy_n(rgbx, channels, out);
    }
  });
  return pixels;
}

}  // namespace ntq
