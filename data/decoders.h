#pragma once
// The image decoders behind ImageFile. stb_image is always there; libjpeg-turbo decodes JPEGs and libwebp WebPs where
// the build found them (NTQ_LIBJPEG, NTQ_LIBWEBP). None takes more memory than a small multiple of the pixels.
#include <memory>
#include <span>
#include <string>

#include "data/image_file.h"

namespace ntq {

/// Throws DataError unless the header is that of a JPEG, PNG or BMP.
ImageSize stb_image_size(std::span<const uint8_t> bytes, const std::string& name);
/// Decodes the whole image, which must have `size`, and gives rows [begin, end) to `sink`.
void stb_image_rows(std::span<const uint8_t> bytes, const std::string& name, ImageSize size, int64_t begin, int64_t end,
                    const RowSink& sink);

/// Throws DataError for an animation.
ImageSize webp_size(std::span<const uint8_t> bytes, const std::string& name);
void webp_rows(std::span<const uint8_t> bytes, const std::string& name, ImageSize size, int64_t begin, int64_t end,
               const RowSink& sink);

std::string webp_version();

class JpegDecoder {
 public:
  JpegDecoder(std::span<const uint8_t> bytes, const std::string& name);
  ~JpegDecoder();
  ImageSize size() const;
  /// Decode at 1/divisor: 1, 2, 4 or 8. Gives the new size.
  ImageSize shrink(int divisor);
  void read_rows(int64_t begin, int64_t end, int64_t left, int64_t right, const RowSink& sink);
  static std::string version();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ntq
