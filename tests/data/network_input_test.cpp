// Image files as a network takes them: the bytes of its data set.
#include "data/network_input.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "data/dataset.h"
#include "engine/serialize.h"
#include "tests/support/bmp.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

Bytes read(const std::string& path, const NetworkInput& input) {
  Bytes out(static_cast<size_t>(input.height * input.width * input.channels));
  read_network_input(path, input, out.data());
  return out;
}

}  // namespace

TEST_CASE("photographs: what evaluation sees, to the byte") {
  const TempFolder at;
  const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  for (const std::string name : {"wide.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg", "alpha.png"}) {
    const Tensor& file = golden.at(name);
    at.write("val/a/" + name, {file.data<uint8_t>(), file.data<uint8_t>() + file.numel()});
  }
  for (const std::string crop : {"paper", "field"}) {
    const DatasetPair data = open_dataset("folder", {.dir = at.str(), .protocol = crop, .image_size = 28});
    const NetworkInput input{.height = 28, .width = 28, .crop = crop};
    const std::vector<std::string> in_order = {"alpha.png", "cmyk.jpg", "gray.jpg", "progressive.jpg", "wide.jpg"};
    REQUIRE(data.val->size() == 5);
    for (size_t i = 0; i < in_order.size(); ++i) {
      const auto expected = data.val->get(static_cast<int64_t>(i)).pixels;
      CHECK_MESSAGE(std::ranges::equal(read(at / ("val/a/" + in_order[i]), input), expected), crop, in_order[i]);
    }
  }
}

TEST_CASE("small images: as they are, else the largest middle part") {
  const TempFolder at;
  Bytes pixels(3 * 5 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(37 * i);
  at.write("small.bmp", bmp_of(pixels, 3, 5));
  CHECK(read(at / "small.bmp", {.height = 3, .width = 5}) == pixels);

  const Bytes gray = read(at / "small.bmp", {.height = 3, .width = 5, .channels = 1});
  for (size_t i = 0; i < gray.size(); ++i) {
    const double exact = 0.299 * pixels[3 * i] + 0.587 * pixels[3 * i + 1] + 0.114 * pixels[3 * i + 2];
    CHECK(std::abs(exact - gray[i]) <= 0.51);
  }

  // 8x4 of black edges two pixels wide: the middle is white, and of half the size.
  Bytes edges(4 * 8 * 3, 255);
  for (size_t y = 0; y < 4; ++y) {
    for (const size_t x : {0, 1, 6, 7})
      std::fill_n(edges.begin() + static_cast<int64_t>((y * 8 + x) * 3), 3, uint8_t{0});
  }
  at.write("edges.bmp", bmp_of(edges, 4, 8));
  CHECK(read(at / "edges.bmp", {.height = 2, .width = 2}) == Bytes(12, 255));
  CHECK(read(at / "edges.bmp", {.height = 4, .width = 4}) == Bytes(48, 255));
  CHECK(read(at / "edges.bmp", {.height = 4, .width = 8}) == edges);
}

TEST_CASE("networks that no image file is for, files that are no image") {
  const auto refused = [](const NetworkInput& input) {
    return error_of<UnknownInput>([&] { check_network_input(input, "m.ntqi"); });
  };
  CHECK(refused({.channels = 2}) == "m.ntqi: reads images of 32x32x2, expected 3 channels or 1");
  CHECK(contains(refused({.channels = 1, .crop = "paper"}), "expected 3 channels"));
  CHECK(contains(refused({.crop = ""}), "does not say how images are prepared"));
  CHECK(contains(refused({.height = 28, .crop = "field"}), "expected square ones"));
  const TempFolder at;
  at.write("text.jpg", {'x', 'y'});
  for (const char* name : {"text.jpg", "none.jpg", ""}) {
    const std::string path = at / name;
    CHECK_MESSAGE(contains(error_of<BadImageError>([&] { read(path, {}); }), path), path);
  }
}
