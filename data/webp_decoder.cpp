// libwebp. The whole image is decoded: a part of a lossy one has other colours at its edges.
#ifdef NTQ_LIBWEBP
#include <webp/decode.h>

#include "base/check.h"
#include "data/decoders.h"

namespace ntq {
namespace {

const char* describe(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY: return "there is not enough memory";
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return "the WebP is truncated";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "it uses what libwebp does not read";
    default: return "the WebP is damaged";
  }
}

void require(VP8StatusCode status, const std::string& name) {
  if (status != VP8_STATUS_OK) throw DataError(concat(name, ": cannot be decoded: ", describe(status)));
}

/// Pixels that libwebp allocates.
struct Output {
  WebPDecoderConfig config{};
  Output() {
    if (WebPInitDecoderConfig(&config) == 0) throw DataError("libwebp: another version than ntq was built with");
    config.output.colorspace = MODE_RGBA;
  }
  ~Output() { WebPFreeDecBuffer(&config.output); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
};

}  // namespace

ImageSize webp_size(std::span<const uint8_t> bytes, const std::string& name) {
  WebPBitstreamFeatures found{};
  require(WebPGetFeatures(bytes.data(), bytes.size(), &found), name);
  if (found.has_animation != 0) throw DataError(name + ": expected a still image, found an animated WebP");
  return {found.height, found.width};
}

void webp_rows(std::span<const uint8_t> bytes, const std::string& name, ImageSize size, int64_t begin, int64_t end,
               const RowSink& sink) {
  Output out;
  require(WebPDecode(bytes.data(), bytes.size(), &out.config), name);
  const WebPDecBuffer& pixels = out.config.output;
  if (ImageSize{pixels.height, pixels.width} != size) {
    throw DataError(concat(name, ": the header says ", size.width, "x", size.height, ", the image is ", pixels.width,
                           "x", pixels.height));
  }
  for (int64_t y = begin; y < end; ++y) sink(pixels.u.RGBA.rgba + y * pixels.u.RGBA.stride);
}

std::string webp_version() {
  const int v = WebPGetDecoderVersion();
  return concat("libwebp ", v >> 16, ".", v >> 8 & 0xFF, ".", v & 0xFF);
}

}  // namespace ntq
#endif
