#include "data/image_format.h"

#include <algorithm>
#include <string_view>

namespace ntq {
namespace {

struct Signature {
  size_t at;
  std::string_view bytes;
  const char* name;
};

using namespace std::string_view_literals;

constexpr Signature kOthers[] = {
    {0, "GIF8"sv, "a GIF"},
    {0, "II*\0"sv, "a TIFF"},
    {0, "MM\0*"sv, "a TIFF"},
    {0, "\xFF\x0A"sv, "a JPEG XL"},
    {4, "JXL "sv, "a JPEG XL"},
    {4, "jP  "sv, "a JPEG 2000"},
    {4, "ftypavif"sv, "an AVIF"},
    {4, "ftyphei"sv, "a HEIC"},
    {4, "ftypmif1"sv, "a HEIC"},
    {0, "P4\n"sv, "a PBM"},
    {0, "P5"sv, "a PGM"},
    {0, "P6"sv, "a PPM"},
    {0, "%PDF"sv, "a PDF"},
    {0, "<svg"sv, "an SVG"},
    {0, "<?xml"sv, "XML or SVG text"},
    {0, "<!DOCTYPE"sv, "a web page"},
    {0, "<!doctype"sv, "a web page"},
    {0, "<html"sv, "a web page"},
    {0, "version https://git-lfs"sv, "a pointer of Git LFS instead of the image"},
};

bool begins(std::span<const uint8_t> bytes, size_t at, std::string_view with) {
  if (bytes.size() < at + with.size()) return false;
  return std::equal(with.begin(), with.end(), bytes.begin() + static_cast<int64_t>(at),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

}  // namespace

ImageFormat image_format(std::span<const uint8_t> bytes) {
  if (begins(bytes, 0, "\xFF\xD8"sv)) return ImageFormat::jpeg;
  if (begins(bytes, 0, "\x89PNG\r\n\x1A\n"sv)) return ImageFormat::png;
  if (begins(bytes, 0, "RIFF"sv) && begins(bytes, 8, "WEBP"sv)) return ImageFormat::webp;
  if (begins(bytes, 0, "BM"sv)) return ImageFormat::bmp;
  return ImageFormat::other;
}

std::string describe_other(std::span<const uint8_t> bytes) {
  for (const Signature& of : kOthers) {
    if (begins(bytes, of.at, of.bytes)) return of.name;
  }
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; }) ? "only zeros"
                                                                                         : "something else";
}

}  // namespace ntq
