// stb_image: JPEG (baseline and progressive), PNG and BMP.
#include <cstdlib>
#include <limits>

namespace {

/// What stb_image may still allocate at a time, on this thread: it follows compressed data as far as they go.
thread_local size_t allowance = std::numeric_limits<size_t>::max();
thread_local bool refused = false;

bool allowed(size_t bytes) {
  refused = refused || bytes > allowance;
  return bytes <= allowance;
}
void* bounded_malloc(size_t bytes) { return allowed(bytes) ? std::malloc(bytes) : nullptr; }
void* bounded_realloc(void* at, size_t bytes) { return allowed(bytes) ? std::realloc(at, bytes) : nullptr; }

}  // namespace

#define STBI_MALLOC(bytes) bounded_malloc(bytes)
#define STBI_REALLOC(at, bytes) bounded_realloc(at, bytes)
#define STBI_FREE(at) std::free(at)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_FAILURE_USERMSG
#include <stb_image.h>

#include <algorithm>
#include <climits>
#include <string_view>

#include "base/check.h"
#include "base/crc32.h"
#include "data/decoders.h"

namespace ntq {
namespace {

[[noreturn]] void refuse(const std::string& name) {
  if (refused) throw DataError(name + ": cannot be decoded: its data are far more than its size asks for");
  const char* why = stbi_failure_reason();
  throw DataError(concat(name, ": cannot be decoded: ", why != nullptr ? why : "unknown reason"));
}

int length(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.size() > INT_MAX) throw DataError(concat(name, ": expected a file below 2 GB, found ", bytes.size(), " B"));
  return static_cast<int>(bytes.size());
}

/// Refuses a Huffman segment, whose length stands at `at`, with tables of more codes than there are bytes, or than fit
/// into their lengths: stb_image 2.27 writes or reads past its own tables then.
void check_huffman_segment(std::span<const uint8_t> bytes, size_t at, const std::string& name) {
  // A table is read whole, wherever its segment ends; behind the file's end stand zeros.
  const auto byte = [&](size_t i) { return i < bytes.size() ? int64_t{bytes[i]} : 0; };
  int64_t left = byte(at) * 256 + byte(at + 1) - 2;
  for (size_t table = at + 2; left > 0;) {
    int64_t codes = 0, used = 0;  // `used`: of the 2^16 codes of 16 bits
    for (size_t i = 1; i <= 16; ++i) {
      codes += byte(table + i);
      used += byte(table + i) << (16 - i);
    }
    if (codes > 256 || used > 1 << 16) {
      throw DataError(name + ": cannot be decoded: a Huffman table has more codes than there can be");
    }
    table += static_cast<size_t>(17 + codes);
    left -= 17 + codes;
  }
}

/// All of a JPEG's Huffman tables. Up to the first scan segment by segment, since what cameras add there may hold
/// anything; from there on wherever the marker stands.
void check_huffman_tables(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.empty() || bytes[0] != 0xFF) return;
  bool in_scans = false;
  for (size_t at = 0; at + 3 < bytes.size();) {
    if (bytes[at++] != 0xFF) continue;
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    if (at + 2 >= bytes.size()) return;
    const uint8_t marker = bytes[at++];
    if (marker == 0xC4) check_huffman_segment(bytes, at, name);
    in_scans = in_scans || marker == 0xDA;
    // Application data and comments; the other segments are short and hold no markers.
    const bool anything = (marker >= 0xE0 && marker <= 0xEF) || marker == 0xFE;
    if (anything && !in_scans) at += std::max<size_t>(static_cast<size_t>(bytes[at] << 8 | bytes[at + 1]), 2);
  }
}

enum class PngSums { believed, checked };

/// Refuses a PNG that ends within a chunk: stb_image asks for the memory that a chunk claims before it looks. And,
/// where sums are checked, one of whose pixels a byte has changed: stb_image reads no checksum.
void check_png(std::span<const uint8_t> bytes, const std::string& name, PngSums sums) {
  if (image_format(bytes) != ImageFormat::png) return;
  for (size_t at = 8; at + 12 <= bytes.size();) {
    const uint8_t* p = bytes.data() + at;
    const auto number = [](const uint8_t* n) { return uint32_t{n[0]} << 24 | n[1] << 16 | n[2] << 8 | n[3]; };
    const size_t length = number(p);
    if (length > bytes.size() - at - 12) break;
    const std::string_view type(reinterpret_cast<const char*>(p + 4), 4);
    if (sums == PngSums::checked && (type == "IHDR" || type == "PLTE" || type == "tRNS" || type == "IDAT")) {
      Crc32 found;
      found.add(p + 4, length + 4);
      if (found.value() != number(p + 8 + length)) {
        throw DataError(concat(name, ": the PNG is damaged: its ", type, " chunk at byte ", at, " has checksum ",
                               found.text(), ", the file says another; fetch or save the file again"));
      }
    }
    if (type == "IEND") return;
    at += 12 + length;
  }
  throw DataError(name + ": the PNG is truncated, its last chunk is missing");
}

/// Refuses a BMP whose pixels are not all there: stb_image takes what is missing as black.
void check_bmp(std::span<const uint8_t> bytes, const std::string& name) {
  if (image_format(bytes) != ImageFormat::bmp) return;
  const auto number = [&](size_t at, size_t size) {
    int64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | (at + i < bytes.size() ? bytes[at + i] : 0);
    return value;
  };
  const bool old = number(14, 4) == 12;  // OS/2's header
  const int64_t width = old ? number(18, 2) : static_cast<int32_t>(number(18, 4));
  const int64_t height = old ? number(20, 2) : static_cast<int32_t>(number(22, 4));
  const int64_t bits = old ? number(24, 2) : number(28, 2), compression = old ? 0 : number(30, 4);
  const int64_t stride = (width * bits + 31) / 32 * 4, rows = height < 0 ? -height : height;
  const int64_t left = static_cast<int64_t>(bytes.size()) - number(10, 4);
  if (width < 1 || rows < 1 || bits < 1 || bits > 32) throw DataError(name + ": the BMP's header is damaged");
  if (compression != 0 && compression != 3) {
    throw DataError(concat(name, ": a compressed BMP (kind ", compression, "), which is not read; save it plain"));
  }
  if (left < 0 || rows > left / stride) throw DataError(name + ": the BMP is truncated, its last rows are missing");
}

void check_before(std::span<const uint8_t> bytes, const std::string& name, PngSums sums) {
  check_bmp(bytes, name);
  check_huffman_tables(bytes, name);
  check_png(bytes, name, sums);
}

}  // namespace

ImageSize stb_image_size(std::span<const uint8_t> bytes, const std::string& name) {
  check_before(bytes, name, PngSums::believed);  // it reads tables on its way to the size
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(bytes.data(), length(bytes, name), &width, &height, &channels) == 0) {
    const char* why = stbi_failure_reason();
    throw DataError(concat(name, ": the image's header cannot be read: ", why != nullptr ? why : "unknown reason"));
  }
  return {height, width};
}

void stb_image_rows(std::span<const uint8_t> bytes, const std::string& name, ImageSize size, int64_t begin, int64_t end,
                    const RowSink& sink) {
  check_before(bytes, name, PngSums::checked);
  int width = 0, height = 0, channels = 0;
  // The largest block is a PNG's data before its filters are undone: 8 bytes a pixel, and as much again for growing.
  allowance = 20 * static_cast<size_t>(size.height * size.width) + 2 * bytes.size() + (size_t{1} << 20);
  refused = false;
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
