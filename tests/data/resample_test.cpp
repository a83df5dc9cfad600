// Resampling and crops, against Pillow (scripts/golden/make_images.py).
#include "data/resample.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "data/crop.h"
#include "data/image_folder.h"
#include "engine/serialize.h"
#include "tests/data/files.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("weights by hand") {
  // 4 -> 2: a triangle two pixels wide on each side, around 1 and 3.
  const auto half = bilinear_taps({.begin = 0, .end = 4, .size = 2, .first = 0, .count = 2});
  REQUIRE(half.size() == 2);
  CHECK(half[0].begin == 0);
  REQUIRE(half[0].weights.size() == 3);
  CHECK(half[0].weights[0] == doctest::Approx(3.0 / 7));
  CHECK(half[0].weights[1] == doctest::Approx(3.0 / 7));
  CHECK(half[0].weights[2] == doctest::Approx(1.0 / 7));
  CHECK(half[1].begin == 1);
  // 2 -> 4: between the two nearest; the window leaves out the first pixel.
  const auto twice = bilinear_taps({.begin = 0, .end = 2, .size = 4, .first = 1, .count = 3});
  REQUIRE(twice.size() == 3);
  CHECK(twice[0].weights == std::vector<float>{0.75f, 0.25f});
  CHECK(twice[1].weights == std::vector<float>{0.25f, 0.75f});
  CHECK(twice[2].begin == 1);
  CHECK(twice[2].weights == std::vector<float>{1.0f});
  // The same size: each pixel as it is.
  for (const Taps& taps : bilinear_taps({.begin = 3, .end = 8, .size = 5, .first = 0, .count = 5}))
    CHECK(taps.weights == std::vector<float>{1.0f});
  CHECK_THROWS_AS(bilinear_taps({.begin = 0, .end = 4, .size = 2, .first = 1, .count = 2}), std::invalid_argument);
  CHECK_THROWS_AS(bilinear_taps({.begin = 4, .end = 4, .size = 2, .first = 0, .count = 2}), std::invalid_argument);
}

TEST_CASE("rows come in order") {
  const ResampleAxis axis{.begin = 2, .end = 10, .size = 4, .first = 1, .count = 2};
  Resampler resampler(axis, axis);
  CHECK(resampler.first_row() == 3);
  CHECK(resampler.end_row() == 9);
  CHECK(resampler.left() == 3);
  CHECK(resampler.right() == 9);
  const std::vector<uint8_t> row(4 * 10, 77);
  CHECK_THROWS_AS(resampler.push(4, row.data()), std::invalid_argument);
  int64_t made = 0;
  for (int64_t y = 3; y < 9; ++y) {
    resampler.push(y, row.data());
    while (const uint8_t* out = resampler.pop()) {
      ++made;
      for (int i = 0; i < 8; ++i) CHECK(out[i] == 77);
    }
  }
  CHECK(made == 2);
  CHECK(resampler.pop() == nullptr);
}

TEST_CASE("evaluation crops are Pillow's: at most one gray level off, 0.1 on average") {
  const TensorFile golden = load_tensors(NTQ_SOURCE_DIR "/tests/golden/images.safetensors");
  const TempFolder temp;
  for (const auto& [name, file] : golden.tensors) {
    if (name.find('/') != name.npos) continue;
    temp.write(name, Bytes(file.data<uint8_t>(), file.data<uint8_t>() + file.numel()));
    for (const Protocol protocol : {Protocol::paper, Protocol::field}) {
      const std::string key = name + (protocol == Protocol::paper ? "/paper" : "/field");
      CAPTURE(key);
      const uint8_t* expected = golden.at(key).data<uint8_t>();
      double sum = 0;
      int worst = 0;
      read_crop(
          temp.path() / name, false, [&](ImageSize size) { return center_crop(protocol, size, 28); },
          [&](int64_t row, const uint8_t* rgbx) {
            for (int64_t i = 0; i < 28 * 3; ++i) {
              const int off = std::abs(rgbx[i / 3 * 4 + i % 3] - expected[row * 28 * 3 + i]);
              worst = std::max(worst, off);
              sum += off;
            }
          });
      const bool exact = name.find(".jpg") == name.npos || jpeg_decoder() != "stb_image";
      CHECK(worst <= (exact ? 1 : 5));
      CHECK(sum / (28 * 28 * 3) <= (exact ? 0.1 : 1.0));
    }
  }
}

TEST_CASE("random crops stay within the image and depend on (seed, epoch, index) alone") {
  std::set<double> begins;
  int mirrored = 0;
  for (int64_t index = 0; index < 400; ++index) {
    for (const ImageSize size : {ImageSize{333, 500}, ImageSize{500, 75}, ImageSize{1, 9}, ImageSize{224, 224}}) {
      for (const Protocol protocol : {Protocol::paper, Protocol::field}) {
        const Crop crop = random_crop(protocol, size, 224, 1, 2, index),
                   again = random_crop(protocol, size, 224, 1, 2, index);
        CHECK((crop.horizontal.begin == again.horizontal.begin && crop.vertical.first == again.vertical.first));
        for (const auto& [axis, length] :
             {std::pair{crop.horizontal, size.width}, std::pair{crop.vertical, size.height}}) {
          CHECK(axis.begin >= 0);
          CHECK(axis.end <= static_cast<double>(length));
          CHECK(axis.end > axis.begin);
          CHECK(axis.count == 224);
          CHECK(axis.first + axis.count <= axis.size);
        }
        if (protocol == Protocol::field && size == ImageSize{333, 500}) {
          const double w = crop.horizontal.end - crop.horizontal.begin, h = crop.vertical.end - crop.vertical.begin;
          CHECK(w * h >= 0.07 * 333 * 500);
          CHECK(w / h > 0.73);
          CHECK(w / h < 1.37);
          begins.insert(crop.horizontal.begin);
          mirrored += crop.mirror;
        }
      }
    }
  }
  CHECK(begins.size() > 100);
  CHECK(mirrored > 160);
  CHECK(mirrored < 240);
  const Crop one = random_crop(Protocol::paper, {300, 400}, 224, 1, 2, 3);
  int same = 0;
  for (int64_t epoch = 0; epoch < 40; ++epoch) {
    const Crop other = random_crop(Protocol::paper, {300, 400}, 224, 1, epoch, 3);
    same += other.vertical.first == one.vertical.first && other.horizontal.first == one.horizontal.first;
  }
  CHECK(same < 5);
}

TEST_CASE("protocols by name; a crop at another scale") {
  CHECK(parse_protocol("paper") == Protocol::paper);
  CHECK(parse_protocol("field") == Protocol::field);
  CHECK_THROWS_AS(parse_protocol("mine"), std::invalid_argument);
  const Crop crop = rescaled(center_crop(Protocol::field, {300, 600}, 224), {300, 600}, {150, 300});
  CHECK(crop.horizontal.end == 300.0);
  CHECK(crop.horizontal.size == 512);
  CHECK(crop.horizontal.first == 144);
  CHECK(crop.vertical.first == 16);
}
