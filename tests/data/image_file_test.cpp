// Decoding, against what Pillow decodes (scripts/golden/make_images.py), and damaged files.
#include "data/image_file.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>

#include "data/image_tree.h"
#include "engine/serialize.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

const TensorFile& golden() {
  static const TensorFile file = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  return file;
}

Bytes bytes_of(const std::string& name) {
  const Tensor& tensor = golden().at(name);
  return {tensor.data<uint8_t>(), tensor.data<uint8_t>() + tensor.numel()};
}

/// {H,W,3}
Bytes decode(const Bytes& bytes, const std::string& name) {
  ImageFile image(bytes, name);
  const ImageSize size = image.size();
  Bytes out;
  image.read_rows(0, size.height, 0, size.width, [&](const uint8_t* row) {
    for (int64_t x = 0; x < size.width; ++x) out.insert(out.end(), row + 4 * x, row + 4 * x + 3);
  });
  return out;
}

std::string refusal(const Bytes& bytes) {
  return error_of<DataError>([&] { decode(bytes, "x.jpg"); });
}

/// Those that this build reads.
std::vector<std::string> names() {
  std::vector<std::string> all = {"wide.jpg", "progressive.jpg", "gray.jpg",    "cmyk.jpg",  "full.jpg",
                                  "tiny.jpg", "alpha.png",       "palette.png", "plain.bmp", "palette.bmp"};
  if (is_image_name("x.webp")) all.insert(all.end(), {"lossy.webp", "alpha.webp"});
  return all;
}

void append(Bytes& out, const std::string& text) { out.insert(out.end(), text.begin(), text.end()); }

void append_number(Bytes& out, uint32_t value) {
  for (int i = 3; i >= 0; --i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

/// A PNG of zeros: gray, of `bits` a pixel, with `data` bytes of compressed ones.
Bytes zero_png(uint32_t width, uint32_t height, uint8_t bits, size_t data) {
  const auto chunk = [](Bytes& out, const std::string& type, const Bytes& body) {
    append_number(out, static_cast<uint32_t>(body.size()));
    append(out, type);
    out.insert(out.end(), body.begin(), body.end());
    append_number(out, static_cast<uint32_t>(
                           crc32(0, out.data() + out.size() - body.size() - 4, static_cast<uInt>(body.size() + 4))));
  };
  Bytes header;
  append_number(header, width);
  append_number(header, height);
  header.insert(header.end(), {bits, 0, 0, 0, 0});
  const Bytes zeros(data);
  uLongf size = compressBound(data);
  Bytes packed(size);
  REQUIRE(compress2(packed.data(), &size, zeros.data(), data, 9) == Z_OK);
  packed.resize(size);
  Bytes out = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  chunk(out, "IHDR", header);
  chunk(out, "IDAT", packed);
  chunk(out, "IEND", {});
  return out;
}

}  // namespace

TEST_CASE("pixels are Pillow's") {
  for (const std::string& name : names()) {
    CAPTURE(name);
    const Tensor& expected = golden().at(name + "/pixels");
    const Bytes found = decode(bytes_of(name), name);
    REQUIRE(static_cast<int64_t>(found.size()) == expected.numel());
    const bool exact = name.find(".jpg") == name.npos || jpeg_decoder() != "stb_image";
    int64_t worst = 0;
    for (size_t i = 0; i < found.size(); ++i)
      worst = std::max<int64_t>(worst, std::abs(found[i] - expected.data<uint8_t>()[i]));
    // stb_image rounds colours and upsamples in its own way.
    CHECK(worst <= (exact ? 0 : 6));
  }
}

TEST_CASE("a part of an image has the pixels of the whole") {
  for (const std::string& name : names()) {
    const Bytes bytes = bytes_of(name), whole = decode(bytes, name);
    const ImageSize size = ImageFile(bytes, name).size();
    const int64_t height = size.height, width = size.width;
    const int64_t bottom = height - height / 8, right = width - width / 8;
    // Cuts at every place of a block of pixels that share their colour.
    for (int64_t cut = 0; cut < 20; ++cut) {
      const int64_t top = std::min(height / 3 + cut, bottom - 1), left = std::min(width / 3 + cut, right - 1);
      CAPTURE(name);
      CAPTURE(cut);
      int64_t y = top, different = 0;
      ImageFile(bytes, name).read_rows(top, bottom, left, right, [&](const uint8_t* row) {
        for (int64_t x = left; x < right; ++x) {
          for (int64_t c = 0; c < 3; ++c)
            different += row[4 * x + c] != whole[static_cast<size_t>((y * width + x) * 3 + c)];
        }
        ++y;
      });
      CHECK(y == bottom);
      CHECK(different == 0);
    }
  }
}

TEST_CASE("shrinking decodes JPEGs at a fraction of their size") {
  const Bytes bytes = bytes_of("wide.jpg");  // 101 x 75
  ImageFile image(bytes, "wide.jpg");
  image.shrink(0.3);
  if (jpeg_decoder() == "stb_image") {
    CHECK(image.size() == ImageSize{75, 101});
    return;
  }
  CHECK(image.size() == ImageSize{38, 51});
  int64_t rows = 0;
  image.read_rows(3, 38, 5, 51, [&](const uint8_t*) { ++rows; });
  CHECK(rows == 35);
  ImageFile full(bytes, "wide.jpg");
  full.shrink(0.6);
  CHECK(full.size() == ImageSize{75, 101});
  ImageFile least(bytes, "wide.jpg");
  least.shrink(0.0);
  CHECK(least.size() == ImageSize{10, 13});
}

TEST_CASE("damaged files are refused with their name") {
  CHECK(refusal({}) == "x.jpg: the file is empty, expected an image");
  CHECK(contains(refusal({'h', 'e', 'l', 'l', 'o'}),
                 "x.jpg: expected a JPEG, PNG, BMP or WebP image, found something else"));
  for (const std::string& name : names()) {
    CAPTURE(name);
    const Bytes whole = bytes_of(name);
    for (size_t size = 0; size < whole.size(); size += 1 + size / 16) {
      CAPTURE(size);
      const std::string message = refusal(Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(size)));
      CHECK(contains(message, "x.jpg: "));
    }
  }
}

TEST_CASE("headers that claim absurd sizes cost no memory") {
  Bytes bytes = bytes_of("wide.jpg");
  size_t frame = 0;
  while (!(bytes[frame] == 0xFF && bytes[frame + 1] == 0xC0)) ++frame;
  for (size_t i = 5; i < 9; ++i) bytes[frame + i] = 0xFF;  // 65535 x 65535
  CHECK(contains(refusal(bytes), jpeg_decoder() == "stb_image" ? "found 65535x65535" : "65500 pixels"));
  bytes[frame + 5] = 0x20;  // 8447 rows: within the limit, but not in a file of this size
  bytes[frame + 7] = 0x10;
  CHECK(contains(refusal(bytes), "pixels cannot be in a file of"));
  for (size_t i = 5; i < 9; ++i) bytes[frame + i] = 0;
  CHECK(contains(refusal(bytes), "x.jpg: "));

  Bytes png = bytes_of("palette.png");
  for (size_t i = 16; i < 24; ++i) png[i] = 0x7F;
  CHECK(contains(refusal(png), "x.jpg: the image's header cannot be read: "));
}

TEST_CASE("each byte of a header flipped: pixels or a clear error, never a crash") {
  for (const std::string name : {"tiny.jpg", "palette.png"}) {
    CAPTURE(name);
    const Bytes whole = bytes_of(name);
    for (size_t i = 0; i < whole.size(); i += i < 256 ? 1 : 7) {
      Bytes flipped = whole;
      flipped[i] ^= 0xFF;
      const std::string message = refusal(flipped);
      CHECK((message.empty() || contains(message, "x.jpg: ")));
    }
  }
}

TEST_CASE("a PNG of whose pixels any byte has changed is refused") {
  const Bytes whole = bytes_of("palette.png");
  CHECK(refusal(whole).empty());
  const std::string_view text(reinterpret_cast<const char*>(whole.data()), whole.size());
  for (const std::string_view type : {"IHDR", "PLTE", "IDAT"}) {
    const size_t chunk = text.find(type);
    REQUIRE(chunk != text.npos);
    const size_t length = size_t{whole[chunk - 2]} << 8 | whole[chunk - 1];
    for (size_t i = 0; i < length + 4; i += 1 + length / 64) {  // the checksum too
      CAPTURE(i);
      Bytes damaged = whole;
      damaged[chunk + 4 + i] ^= 1;
      const std::string message = refusal(damaged);
      CHECK(contains(message, "x.jpg: "));
      if (type != "IHDR") CHECK(contains(message, concat("the PNG is damaged: its ", type, " chunk at byte ")));
    }
  }
}

TEST_CASE("rows outside of the image are a wrong call") {
  const Bytes bytes = bytes_of("tiny.jpg");  // 7 x 9
  ImageFile image(bytes, "tiny.jpg");
  CHECK_THROWS_AS(image.read_rows(0, 10, 0, 7, [](const uint8_t*) {}), std::invalid_argument);
  CHECK_THROWS_AS(image.read_rows(0, 9, 3, 8, [](const uint8_t*) {}), std::invalid_argument);
}

TEST_CASE("what is no image here is called what it is") {
  const auto found = [](const std::string& text) { return refusal(Bytes(text.begin(), text.end())); };
  CHECK(found("GIF89a...") == "x.jpg: expected a JPEG, PNG, BMP or WebP image, found a GIF");
  CHECK(contains(found(std::string("II*\0....", 8)), "found a TIFF"));
  CHECK(contains(found("<html><body>404"), "found a web page"));
  CHECK(contains(found("version https://git-lfs.github.com/spec/v1"), "Git LFS"));
  CHECK(contains(found(std::string(1000, '\0')), "found only zeros"));
  if (is_image_name("x.webp"))
    CHECK(contains(found(std::string("RIFF\x10\0\0\0WEBPVP8 ", 16)), "x.jpg: cannot be decoded: the WebP is "));
}

TEST_CASE("a build says what reads WebPs") {
  CHECK(webp_decoder().rfind(is_image_name("x.webp") ? "libwebp 1." : "none", 0) == 0);
}

TEST_CASE("a few kilobytes do not become gigabytes") {
  // 8 kB, 67 million pixels of a bit.
  const Bytes flat = zero_png(8191, 8191, 1, 8191 * 1025);
  CHECK(flat.size() < 10000);
  CHECK(contains(refusal(flat), "8191x8191 pixels in a file of"));
  // One pixel, and 40 MB of data for it.
  CHECK(contains(refusal(zero_png(1, 1, 8, 40 << 20)), "its data are far more than its size asks for"));
  CHECK(decode(zero_png(300, 200, 1, 200 * 39), "x.png") == Bytes(300 * 200 * 3));
  if (is_image_name("x.webp")) {
    // A lossless WebP's header: 16384 x 16384.
    Bytes webp;
    append(webp, std::string("RIFF\x1A\0\0\0WEBPVP8L\x0D\0\0\0\x2F", 21));
    webp.insert(webp.end(), {0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    CHECK(contains(refusal(webp), "expected an image of 1 to"));
  }
}

TEST_CASE("a JPEG of hundreds of scans is refused, each takes as long as an image") {
  if (jpeg_decoder() == "stb_image") return;
  Bytes bytes = bytes_of("progressive.jpg");
  size_t scan = bytes.size() - 2;
  while (!(bytes[scan] == 0xFF && bytes[scan + 1] == 0xDA)) --scan;
  const Bytes last(bytes.begin() + static_cast<int64_t>(scan), bytes.end() - 2);
  for (int i = 0; i < 200; ++i) bytes.insert(bytes.begin() + static_cast<int64_t>(scan), last.begin(), last.end());
  CHECK(contains(refusal(bytes), "more than 100 scans"));
}
