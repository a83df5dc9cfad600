// stb_image: JPEG (baseline and progressive) and PNG.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_FAILURE_USERMSG
#include <stb_image.h>

#include <climits>

#include "data/decoders.h"
#include "engine/check.h"

namespace ntq {
namespace {

[[noreturn]] void refuse(const std::string& name) {
  const char* why = stbi_failure_reason();
  throw DataError(concat(name, ": cannot be decoded: ", why != nullptr ? why : "unknown reason"));
}

int length(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.size() > INT_MAX) throw DataError(concat(name, ": expected a file below 2 GB, found ", bytes.size(), " B"));
  return static_cast<int>(bytes.size());
}

}  // namespace

ImageSize stb_image_size(std::span<const uint8_t> bytes, const std::string& name) {
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(bytes.data(), length(bytes, name), &width, &height, &channels) == 0) {
    throw DataError(name + ": expected a JPEG or PNG image, found something else");
  }
  return {height, width};
}

void stb_image_rows(std::span<const uint8_t> bytes, const std::string& name, ImageSize size, int64_t begin, int64_t end,
                    const RowSink& sink) {
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(bytes.data(), length(bytes, name), &width, &height, &channels, 4), stbi_image_free);
  if (!pixels) refuse(name);
  if (ImageSize{height, width} != size) {
    throw DataError(
        concat(name, ": the header says ", size.width, "x", size.height, ", the image is ", width, "x", height));
  }
  for (int64_t y = begin; y < end; ++y) sink(pixels.get() + y * size.width * 4);
}

}  // namespace ntq
