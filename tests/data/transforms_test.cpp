#include "data/transforms.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/isa.h"
#include "data/kernels/kernels.h"

using namespace ntq;

namespace {

/// Identity scaling: a byte b becomes b / 255.
DatasetInfo info(int64_t height, int64_t width, int64_t channels) {
  return {"test", height, width, channels, 2, {0, 0, 0}, {1, 1, 1}, true};
}

/// The bytes that come out, in units of 1/255.
std::vector<int> apply(const DatasetInfo& of, const std::vector<uint8_t>& pixels, const Augmentation& how) {
  std::vector<float> out(pixels.size() + 1, -1.0f);
  Transform{of}(pixels.data(), how, out.data());
  CHECK(out.back() == -1.0f);
  std::vector<int> bytes;
  for (size_t i = 0; i < pixels.size(); ++i) bytes.push_back(static_cast<int>(out[i] * 255.0f + 0.5f));
  return bytes;
}

}  // namespace

TEST_CASE("normalisation by hand") {
  DatasetInfo of = info(1, 2, 3);
  of.mean = {.5f, .25f, 0.f};
  of.deviation = {.5f, .25f, 2.f};
  const std::vector<uint8_t> pixels{255, 255, 255, 0, 0, 51};
  std::vector<float> out(6);
  Transform{of}(pixels.data(), {}, out.data());
  const float expected[] = {1.f, 3.f, .5f, -1.f, -1.f, .1f};
  for (size_t i = 0; i < 6; ++i) CHECK(out[i] == doctest::Approx(expected[i]));
  // Padding is a black pixel, not zero after normalisation.
  Transform{of}(pixels.data(), {1, 0, 1, false}, out.data());
  CHECK(out[0] == -1.f);
  CHECK(out[2] == 0.f);
}

TEST_CASE("crop and mirror by hand") {
  const std::vector<uint8_t> image{1, 2, 3, 4, 5, 6};  // 2 x 3
  const DatasetInfo of = info(2, 3, 1);
  using V = std::vector<int>;
  CHECK(apply(of, image, {}) == V{1, 2, 3, 4, 5, 6});
  CHECK(apply(of, image, {1, 1, 1, false}) == V{1, 2, 3, 4, 5, 6});
  CHECK(apply(of, image, {1, 1, 1, true}) == V{3, 2, 1, 6, 5, 4});
  CHECK(apply(of, image, {1, 0, 0, false}) == V{0, 0, 0, 0, 1, 2});
  CHECK(apply(of, image, {1, 0, 0, true}) == V{0, 0, 0, 2, 1, 0});
  CHECK(apply(of, image, {1, 2, 2, false}) == V{5, 6, 0, 0, 0, 0});
  CHECK(apply(of, image, {1, 2, 2, true}) == V{0, 6, 5, 0, 0, 0});
  CHECK(apply(of, image, {2, 0, 2, false}) == V{0, 0, 0, 0, 0, 0});
  CHECK(apply(info(1, 2, 3), image, {0, 0, 0, true}) == V{4, 5, 6, 1, 2, 3});
  CHECK(apply(info(1, 2, 3), image, {1, 1, 2, true}) == V{0, 0, 0, 4, 5, 6});
  CHECK(apply(info(1, 3, 2), image, {1, 1, 0, false}) == V{0, 0, 1, 2, 3, 4});
}

TEST_CASE("every crop and mirror equals a plain padded lookup") {
  for (const int64_t channels : {1, 2, 3}) {
    const DatasetInfo of = info(4, 5, channels);
    std::vector<uint8_t> image(static_cast<size_t>(20 * channels));
    for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>(i + 1);
    for (const int pad : {0, 1, 4, 6}) {
      for (int top = 0; top <= 2 * pad; ++top) {
        for (int left = 0; left <= 2 * pad; ++left) {
          for (const bool mirror : {false, true}) {
            std::vector<int> expected;
            for (int64_t y = 0; y < 4; ++y) {
              for (int64_t x = 0; x < 5; ++x) {
                const int64_t row = y + top - pad, column = (mirror ? 4 - x : x) + left - pad;
                const bool inside = row >= 0 && row < 4 && column >= 0 && column < 5;
                for (int64_t c = 0; c < channels; ++c) {
                  expected.push_back(inside ? image[static_cast<size_t>((row * 5 + column) * channels + c)] : 0);
                }
              }
            }
            REQUIRE(apply(of, image, {pad, top, left, mirror}) == expected);
          }
        }
      }
    }
  }
}

TEST_CASE("draws cover the range evenly and depend on seed, epoch and index") {
  std::vector<int> tops(9), lefts(9);
  int mirrored = 0;
  for (int64_t i = 0; i < 9000; ++i) {
    const Augmentation draw = draw_augmentation(1, 2, i, 4, true);
    REQUIRE((draw.pad == 4 && draw.top >= 0 && draw.top <= 8 && draw.left >= 0 && draw.left <= 8));
    ++tops[static_cast<size_t>(draw.top)], ++lefts[static_cast<size_t>(draw.left)];
    mirrored += draw.mirror;
    REQUIRE(draw == draw_augmentation(1, 2, i, 4, true));
    REQUIRE_FALSE(draw_augmentation(1, 2, i, 4, false).mirror);
  }
  for (size_t i = 0; i < 9; ++i) CHECK((tops[i] > 850 && tops[i] < 1150 && lefts[i] > 850 && lefts[i] < 1150));
  CHECK((mirrored > 4250 && mirrored < 4750));
  int same_seed = 0, same_epoch = 0, same_index = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const Augmentation draw = draw_augmentation(1, 2, i, 4, true);
    same_seed += draw == draw_augmentation(2, 2, i, 4, true);
    same_epoch += draw == draw_augmentation(1, 3, i, 4, true);
    same_index += draw == draw_augmentation(1, 2, i + 1, 4, true);
  }
  CHECK((same_seed < 30 && same_epoch < 30 && same_index < 30));  // 1 in 162 by chance
  CHECK(draw_augmentation(1, 2, 3, 0, false) == Augmentation{});
}

TEST_CASE("the order of an epoch is a permutation of its own") {
  for (const int64_t size : {0, 1, 2, 3, 4, 5, 1000}) {
    std::vector<uint32_t> order = epoch_order(7, 0, size);
    if (size == 1000) {
      CHECK(order == epoch_order(7, 0, size));
      CHECK(order != epoch_order(7, 1, size));
      CHECK(order != epoch_order(8, 0, size));
    }
    std::sort(order.begin(), order.end());
    REQUIRE(static_cast<int64_t>(order.size()) == size);
    for (size_t i = 0; i < order.size(); ++i) REQUIRE(order[i] == i);
  }
  // All six orders of three images are equally likely: 1000 each of 6000 epochs, deviation 29.
  std::vector<int> seen(27);
  for (int64_t epoch = 0; epoch < 6000; ++epoch) {
    const auto order = epoch_order(3, epoch, 3);
    ++seen[order[0] * 9 + order[1] * 3 + order[2]];
  }
  CHECK(std::count(seen.begin(), seen.end(), 0) == 21);
  for (const int count : seen) CHECK((count == 0 || (count > 850 && count < 1150)));
}

TEST_CASE("rows of photographs: every instruction set gives the same bits, the table's but for a rounding") {
  DatasetInfo of = info(1, 256, 3);
  of.mean = {.485f, .456f, .406f};
  of.deviation = {.229f, .224f, .225f};
  std::vector<uint8_t> rgb(3 * 256), rgbx(4 * 256);
  for (size_t i = 0; i < rgbx.size(); ++i) rgbx[i] = static_cast<uint8_t>(i / 4 * (i % 4 + 1));
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = rgbx[i / 3 * 4 + i % 3];
  const float scale[] = {.5f, 3.f, -1.f / 7}, shift[] = {.1f, -2.f, 1.f / 3};
  for (const int64_t count : {1, 3, 4, 7, 256}) {
    for (const bool mirror : {false, true}) {
      std::vector<float> first;
      for (const std::string& isa : cpu::available_isas()) {
        std::vector<float> out(static_cast<size_t>(3 * count) + 1, 99.f);
        photo::kernels_of(isa).scale_row(scale, shift, rgbx.data(), count, mirror, out.data());
        CHECK(out.back() == 99.f);
        for (int64_t x = 0; x < count; ++x) {
          for (int64_t c = 0; c < 3; ++c) {
            const float value = rgbx[static_cast<size_t>(4 * (mirror ? count - 1 - x : x) + c)];
            REQUIRE(out[static_cast<size_t>(3 * x + c)] == doctest::Approx(value * scale[c] + shift[c]));
          }
        }
        if (first.empty()) first = out;
        CHECK(out == first);
      }
    }
  }
  for (const bool mirror : {false, true}) {
    std::vector<float> looked_up(3 * 256), computed(3 * 256);
    Transform{of}(rgb.data(), {0, 0, 0, mirror}, looked_up.data());
    Transform{of}.row(rgbx.data(), 256, mirror, computed.data());
    for (size_t i = 0; i < computed.size(); ++i) REQUIRE(std::abs(computed[i] - looked_up[i]) < 1e-6f);
  }
}

TEST_CASE("impossible images are refused") {
  CHECK_THROWS_AS(Transform{info(0, 2, 1)}, std::invalid_argument);
  CHECK_THROWS_AS(Transform{info(2, 2, 4)}, std::invalid_argument);
  DatasetInfo flat = info(2, 2, 1);
  flat.deviation[0] = 0;
  CHECK_THROWS_AS(Transform{flat}, std::invalid_argument);
}
