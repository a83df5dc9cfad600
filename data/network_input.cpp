#include "data/network_input.h"

#include <algorithm>

#include "base/printable.h"
#include "data/image_folder.h"

namespace ntq {
namespace {

/// The middle `part` of `length`, to `size` pixels.
ResampleAxis middle_part(int64_t length, double part, int64_t size) {
  const double begin = (static_cast<double>(length) - part) / 2;
  return {.begin = begin, .end = begin + part, .size = size, .first = 0, .count = size};
}

Crop largest_part(ImageSize source, const NetworkInput& input) {
  const auto width = static_cast<double>(source.width), height = static_cast<double>(source.height);
  const double aspect = static_cast<double>(input.width) / static_cast<double>(input.height);
  return {middle_part(source.width, std::min(width, height * aspect), input.width),
          middle_part(source.height, std::min(height, width / aspect), input.height)};
}

uint8_t gray_of(const uint8_t* rgb) {
  const uint32_t sum = 19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2];  // of 2^16
  return static_cast<uint8_t>((sum + 0x8000u) >> 16);
}

}  // namespace

void check_network_input(const NetworkInput& input, const std::string& name) {
  const bool whole = input.crop == "whole";
  const std::string size = concat(input.height, "x", input.width, "x", input.channels);
  if (input.channels != 3 && !(input.channels == 1 && whole)) {
    throw UnknownInput(concat(name, ": reads images of ", size, ", expected 3 channels", whole ? " or 1" : ""));
  }
  if (!whole && input.crop != "paper" && input.crop != "field") {
    throw UnknownInput(concat(name,
                              ": does not say how images are prepared: expected the crop \"whole\", \"paper\" or ",
                              "\"field\", found ", in_quotes(input.crop)));
  }
  if (!whole && input.height != input.width) {
    throw UnknownInput(concat(name, ": reads images of ", size, ", expected square ones for the crop ", input.crop));
  }
}

void read_network_input(const std::filesystem::path& path, const NetworkInput& input, uint8_t* pixels) {
  const auto plan = [&](ImageSize source) {
    if (input.crop == "whole") return largest_part(source, input);
    return center_crop(parse_protocol(input.crop), source, input.height);
  };
  read_crop(path, input.fast_decode, plan, [&](int64_t row, const uint8_t* rgbx) {
    uint8_t* out = pixels + row * input.width * input.channels;
    for (int64_t x = 0; x < input.width; ++x, rgbx += 4, out += input.channels) {
      if (input.channels == 1) {
        *out = gray_of(rgbx);
      } else {
        std::copy_n(rgbx, 3, out);
      }
    }
  });
}

}  // namespace ntq
