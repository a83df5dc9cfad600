#include "data/image_file.h"

#include <algorithm>

#include "data/decoders.h"
#include "engine/check.h"

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
/// most 1032 bytes of 8 pixels for one.
constexpr int64_t kJpegPixelsPerByte = 1024, kOtherPixelsPerByte = 8300;

bool is_jpeg(std::span<const uint8_t> bytes) { return bytes.size() > 2 && bytes[0] == 0xFF && bytes[1] == 0xD8; }

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

ImageFile::ImageFile(std::span<const uint8_t> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
  if (bytes.empty()) throw DataError(name_ + ": the file is empty, expected an image");
  const bool jpeg = is_jpeg(bytes);
  if (!jpeg && bytes[0] == 0xFF) throw DataError(name_ + ": expected a JPEG or PNG image, found something else");
#ifdef NTQ_LIBJPEG
  if (jpeg) jpeg_ = std::make_unique<Jpeg>(bytes, name_);
  size_ = jpeg ? jpeg_->size() : stb_image_size(bytes, name_);
#else
  size_ = stb_image_size(bytes, name_);
#endif
  if (size_.height < 1 || size_.width < 1 || size_.height > kMaxImagePixels / size_.width) {
    throw DataError(concat(name_, ": expected an image of 1 to ", kMaxImagePixels, " pixels, found ", size_.width, "x",
                           size_.height));
  }
  const auto most = static_cast<int64_t>(bytes.size()) * (jpeg ? kJpegPixelsPerByte : kOtherPixelsPerByte);
  if (size_.height * size_.width > most) {
    throw DataError(concat(name_, ": ", size_.width, "x", size_.height, " pixels cannot be in a file of ", bytes.size(),
                           " bytes; it is damaged"));
  }
  if (jpeg && !jpeg_is_complete(bytes)) throw DataError(name_ + ": the JPEG is truncated, its end marker is missing");
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
  stb_image_rows(bytes_, name_, size_, begin, end, sink);
}

std::string jpeg_decoder() {
#ifdef NTQ_LIBJPEG
  return JpegDecoder::version();
#else
  return "stb_image";
#endif
}

}  // namespace ntq
