#pragma once
// One image file in memory (JPEG, PNG, BMP, WebP), read row by row, so that a crop costs no whole image.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "data/image_format.h"

namespace ntq {

struct ImageSize {
  int64_t height = 0, width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// Takes one row of pixels {W,4}: red, green, blue, anything.
using RowSink = std::function<void(const uint8_t* rgbx)>;

/// Images of more pixels than this are refused before any memory is asked for them.
constexpr int64_t kMaxImagePixels = int64_t{1} << 26;
/// And those of more than this unless the file has a byte for each 256: a few kilobytes shall not become gigabytes.
constexpr int64_t kMaxDensePixels = int64_t{1} << 24;

/// Gray becomes three equal channels; CMYK (inverted where Adobe's marker says so) becomes RGB as Pillow has it; alpha
/// is dropped; the orientation that a camera noted is ignored, as torchvision does.
class ImageFile {
 public:
  /// Reads the header. `bytes` must outlive the object; `name` stands for the file in errors. Throws DataError: empty,
  /// truncated, of no known format, too large.
  ImageFile(std::span<const uint8_t> bytes, std::string name);
  ~ImageFile();

  /// As read_rows() gives it.
  ImageSize size() const;
  /// Lets a JPEG be decoded at 1/2, 1/4 or 1/8: the smallest that leaves at least `factor` of each side. Much faster,
  /// and other pixels. Other formats and decoders stay at full size.
  void shrink(double factor);
  /// Gives rows [begin, end) from the top to `sink`. Columns outside of [left, right) may hold anything. Once per
  /// object. Throws DataError where the data are damaged.
  void read_rows(int64_t begin, int64_t end, int64_t left, int64_t right, const RowSink& sink);

 private:
  void check_size(int64_t most_per_byte) const;

  struct Jpeg;
  std::span<const uint8_t> bytes_;
  std::string name_;
  ImageFormat format_;
  ImageSize size_;
  std::unique_ptr<Jpeg> jpeg_;  // null: read by another decoder
};

/// What decodes JPEGs in this build: "libjpeg-turbo 2.1.5" or "stb_image".
std::string jpeg_decoder();
/// What decodes WebPs: "libwebp 1.2.4" or "none".
std::string webp_decoder();

}  // namespace ntq
