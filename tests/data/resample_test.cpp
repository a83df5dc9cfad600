// Resampling and crops, against Pillow (scripts/golden/make_images.py).
#include "data/resample.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "base/isa.h"
#include "data/crop.h"
#include "data/image_folder.h"
#include "data/kernels/kernels.h"
#include "engine/serialize.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// Weights of pixel i as fractions.
std::vector<double> weights(const ResampleFilter& filter, size_t i) {
  std::vector<double> out;
  for (size_t k = 0; k < static_cast<size_t>(filter.counts[i]); ++k)
    out.push_back(filter.weights[i * static_cast<size_t>(filter.taps) + k] / 16384.0);
  return out;
}

}  // namespace

TEST_CASE("weights by hand") {
  // 4 -> 2: a triangle two pixels wide on each side, around 1 and 3.
  const ResampleFilter half = bilinear_filter({.begin = 0, .end = 4, .size = 2, .first = 0, .count = 2});
  REQUIRE(half.pixels() == 2);
  CHECK(half.begins == std::vector<int32_t>{0, 1});
  REQUIRE(half.counts == std::vector<int32_t>{3, 3});
  CHECK(weights(half, 0)[0] == doctest::Approx(3.0 / 7).epsilon(1e-4));
  CHECK(weights(half, 0)[1] == doctest::Approx(3.0 / 7).epsilon(1e-4));
  CHECK(weights(half, 0)[2] == doctest::Approx(1.0 / 7).epsilon(1e-3));
  // 2 -> 4: between the two nearest; the window leaves out the first pixel.
  const ResampleFilter twice = bilinear_filter({.begin = 0, .end = 2, .size = 4, .first = 1, .count = 3});
  CHECK(weights(twice, 0) == std::vector<double>{0.75, 0.25});
  CHECK(weights(twice, 1) == std::vector<double>{0.25, 0.75});
  CHECK(weights(twice, 2) == std::vector<double>{1});
  CHECK(twice.begins[2] == 1);
  // The same size: each pixel as it is.
  const ResampleFilter same = bilinear_filter({.begin = 3, .end = 8, .size = 5, .first = 0, .count = 5});
  for (size_t i = 0; i < 5; ++i) CHECK(weights(same, i) == std::vector<double>{1});
  CHECK_THROWS_AS(bilinear_filter({.begin = 0, .end = 4, .size = 2, .first = 1, .count = 2}), std::invalid_argument);
  CHECK_THROWS_AS(bilinear_filter({.begin = 4, .end = 4, .size = 2, .first = 0, .count = 2}), std::invalid_argument);
}

TEST_CASE("weights are positive, sum to one and lie within the source, whatever the scale") {
  for (const double end : {1.0, 1.4, 3.0, 17.0, 100.5, 999.0}) {
    for (const int64_t size : {1, 2, 5, 64, 300}) {
      CAPTURE(end);
      CAPTURE(size);
      const ResampleFilter filter =
          bilinear_filter({.begin = 0.25, .end = end, .size = size, .first = 0, .count = size});
      for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
        double sum = 0;
        for (const double w : weights(filter, i)) {
          CHECK(w >= 0);
          sum += w;
        }
        CHECK(sum == 1.0);
        CHECK(filter.begins[i] >= 0);
        CHECK(filter.begins[i] + filter.counts[i] <= std::ceil(end));
        CHECK((i == 0 || filter.begins[i] >= filter.begins[i - 1]));
      }
    }
  }
}

TEST_CASE("every instruction set gives the same bytes") {
  std::vector<uint8_t> row(4 * 501);
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<uint8_t>(i * i * 7 + i / 3);
  for (const auto& [size, count] : {std::pair<int64_t, int64_t>{256, 224}, {33, 33}, {700, 101}, {3, 1}}) {
    const ResampleFilter filter = bilinear_filter({.begin = 0, .end = 501, .size = size, .first = 0, .count = count});
    const int64_t taps = (filter.taps + 3) / 4 * 4, width = (4 * count + 15) / 16 * 16;
    std::vector<int16_t> packed(static_cast<size_t>(count * taps * 4));
    for (int64_t i = 0; i < count * taps * 4; ++i) {
      const int64_t tap = i / 8 % (taps / 2) * 2 + i % 2;
      if (tap < filter.taps)
        packed[static_cast<size_t>(i)] = filter.weights[static_cast<size_t>(i / (taps * 4) * filter.taps + tap)];
    }
    std::vector<uint8_t> padded = row;
    padded.resize(row.size() + static_cast<size_t>(4 * taps));
    std::vector<uint8_t> first, first_mixed;
    for (const std::string& isa : cpu::available_isas()) {
      CAPTURE(isa);
      const photo::Kernels& kernels = photo::kernels_of(isa);
      std::vector<uint8_t> out(static_cast<size_t>(width)), mixed(static_cast<size_t>(width));
      kernels.resample_row({padded.data(), filter.begins.data(), packed.data(), taps, count}, out.data());
      const uint8_t* const rows[] = {out.data(), padded.data() + 4, padded.data() + 9, out.data()};
      const int16_t mix[] = {10000, 6000, 384, 0};
      if (width <= 16 * 31) kernels.mix_rows(rows, mix, 4, width, mixed.data());
      if (first.empty()) first = out, first_mixed = mixed;
      CHECK(out == first);
      CHECK(mixed == first_mixed);
    }
  }
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
    if (name.find('/') != name.npos || !is_image_name(name)) continue;
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
