#pragma once
// What an image file is, by its first bytes and not by its name.
#include <cstdint>
#include <span>
#include <string>

namespace ntq {

enum class ImageFormat { jpeg, png, bmp, webp, other };

ImageFormat image_format(std::span<const uint8_t> bytes);
/// "a GIF", "a TIFF", ..., "something else": what is not read here.
std::string describe_other(std::span<const uint8_t> bytes);

}  // namespace ntq
