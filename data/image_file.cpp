#include "data/image_file.h"

#include <algorithm>

#include "base/check.h"
#include "data/decoders.h"

namespace ntq {

#ifdef NTQ_LIBJPEG
struct ImageFile::Jpeg : JpegDecoder {
  using JpegDecoder::JpegDecoder;
};
#else
struct ImageFile::Jpeg {};
#endif

namespace {

/// No image has more pixels to a byte of its file: a JPEG spends a bit on 64 gray pixels, a PNG's compression gives at
/// most 1032 bytes of 8 pixels for one, a BMP's smallest pixel is a bit. A WebP of one colour needs none.
int64_t most_pixels_per_byte(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg: return 1024;
    case ImageFormat::png: return 8300;
    case ImageFormat::bmp: return 8;
    default: return kMaxImagePixels;
  }
}

/// Whether the end marker is there. A decoder that stops at the last row it needs would not miss it, and another one
/// fills up with gray; so a truncated file is found here, whatever part of it is wanted.
bool jpeg_is_complete(std::span<const uint8_t> bytes) {
  // Walk the segments to the first scan: thumbnails before it have end markers of their own.
  size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == 0xFF && bytes[at + 1] != 0xDA) {
    at += bytes[at + 1] == 0xFF ? 1 : 2 + static_cast<size_t>(bytes[at + 2] << 8 | bytes[at + 3]);
  }
  for (size_t end = bytes.size(); end >= at + 2; --end) {
    if (bytes[end - 2] == 0xFF && bytes[end - 1] == 0xD9) return true;
  }
  return false;
}

}  // namespace

ImageFile::ImageFile(std::span<const uint8_t> bytes, std::string name)
    : bytes_(bytes), name_(std::move(name)), format_(image_format(bytes)) {
  if (bytes.empty()) throw DataError(name_ + ": the file is empty, expected an image");
  switch (format_) {
    case ImageFormat::other:
      throw DataError(concat(name_, ": expected a JPEG, PNG, BMP or WebP image, found ", describe_other(bytes)));
#ifdef NTQ_LIBJPEG
    case ImageFormat::jpeg:
      jpeg_ = std::make_unique<Jpeg>(bytes, name_);
      size_ = jpeg_->size();
      break;
#endif
    case ImageFormat::webp:
#ifdef NTQ_LIBWEBP
      size_ = webp_size(bytes, name_);
      break;
#else
      throw DataError(name_ + ": a WebP image, which this build cannot read; install libwebp-dev and build again");
#endif
    default: size_ = stb_image_size(bytes, name_);
  }
  check_size(most_pixels_per_byte(format_));
  if (format_ == ImageFormat::jpeg && !jpeg_is_complete(bytes)) {
    throw DataError(name_ + ": the JPEG is truncated, its end marker is missing");
  }
}

void ImageFile::check_size(int64_t most_per_byte) const {
  const auto bytes = static_cast<int64_t>(bytes_.size());
  if (size_.height < 1 || size_.width < 1 || size_.height > kMaxImagePixels / size_.width) {
    throw DataError(concat(name_, ": expected an image of 1 to ", kMaxImagePixels, " pixels, found ", size_.width, "x",
                           size_.height));
  }
  const int64_t pixels = size_.height * size_.width;
  if (pixels / most_per_byte > bytes) {
    throw DataError(concat(name_, ": ", size_.width, "x", size_.height, " pixels cannot be in a file of ", bytes,
                           " bytes; it is damaged"));
  }
  if (pixels > kMaxDensePixels && pixels / 256 > bytes) {
    throw DataError(concat(name_, ": ", size_.width, "x", size_.height, " pixels in a file of ", bytes,
                           " bytes are no photograph; expected at least ", pixels / 256, " bytes"));
  }
}

ImageFile::~ImageFile() = default;

ImageSize ImageFile::size() const { return size_; }

void ImageFile::shrink([[maybe_unused]] double factor) {
#ifdef NTQ_LIBJPEG
  if (!jpeg_) return;
  int divisor = 1;
  while (divisor < 8 && 1.0 / (2 * divisor) >= factor) divisor *= 2;
  size_ = jpeg_->shrink(divisor);
#endif
}

void ImageFile::read_rows(int64_t begin, int64_t end, int64_t left, int64_t right, const RowSink& sink) {
  check(begin >= 0 && begin <= end && end <= size_.height && left >= 0 && left <= right && right <= size_.width, name_,
        ": rows ", begin, " to ", end, " and columns ", left, " to ", right, " do not lie within ", size_.width, "x",
        size_.height);
#ifdef NTQ_LIBJPEG
  if (jpeg_) return jpeg_->read_rows(begin, end, left, right, sink);
#endif
#ifdef NTQ_LIBWEBP
  if (format_ == ImageFormat::webp) return webp_rows(bytes_, name_, size_, begin, end, sink);
#endif
  stb_image_rows(bytes_, name_, size_, begin, end, sink);
}

std::string webp_decoder() {
#ifdef NTQ_LIBWEBP
  return webp_version();
#else
  return "none";
#endif
}

std::string jpeg_decoder() {
#ifdef NTQ_LIBJPEG
  return JpegDecoder::version();
#else
  return "stb_image";
#endif
}

}  // namespace ntq
