// What integer networks do between convolutions, on every instruction set: the bits of single operations in a fixed
// order.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "base/isa.h"
#include "tests/base/integer_case.h"

namespace ntq::integer::test {
namespace {

template <class Op>
void on_every_isa(const Op& op) {
  for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
    CAPTURE(isa);
    op(kernels_of(isa));
  }
}

std::vector<float> some_floats(int64_t count, float low, float high, uint32_t seed = 3) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = std::uniform_real_distribution<float>(low, high)(random);
  return values;
}

}  // namespace

TEST_CASE("integer quantization: ties, bounds and what is no number, for every code") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const CodeGrid& grid :
       {CodeGrid{.step = 0.1f, .low = 0, .high = 255}, CodeGrid{.step = 0.3f, .low = -8, .high = 7, .zero = 8},
        CodeGrid{.step = 7e-9f, .low = -128, .high = 127, .zero = 128}, CodeGrid{.step = 1e-42f, .low = 0, .high = 15},
        CodeGrid{.step = 2e37f, .low = 0, .high = 3}}) {
    std::vector<float> x = {0.0f, -0.0f, inf, -inf, std::numeric_limits<float>::quiet_NaN(), 3e38f, -3e38f, 1e-45f};
    for (int k = 2 * grid.low - 4; k <= 2 * grid.high + 4; ++k) {  // the halves and their neighbours
      const float tie = 0.5f * static_cast<float>(k) * grid.step;
      for (const float v : {tie, std::nextafter(tie, inf), std::nextafter(tie, -inf)}) x.push_back(v);
    }
    std::vector<uint8_t> expected(x.size());
    for (size_t i = 0; i < x.size(); ++i) expected[i] = byte_of(x[i], grid);
    on_every_isa([&](const Kernels& kernels) {
      std::vector<uint8_t> codes(x.size());
      kernels.pointwise(x.data(), static_cast<int64_t>(x.size()), 1, {.codes = codes.data(), .grid = grid});
      CHECK(codes == expected);
    });
  }
}

TEST_CASE("integer pointwise: an affine map, a skip, a ReLU, in place too") {
  for (const int64_t channels : {4, 8, 12, 16, 20, 32, 36, 100}) {
    CAPTURE(channels);
    const int64_t pixels = 7, count = pixels * channels;
    const auto x = some_floats(count, -3, 3), scale = some_floats(channels, -1, 2, 4),
               shift = some_floats(channels, -1, 1, 5), skip = some_floats(count, -2, 2, 6);
    const CodeGrid grid{.step = 0.21f, .low = 0, .high = 15};
    for (const bool affine : {false, true}) {
      for (const bool relu : {false, true}) {
        std::vector<float> expected;
        std::vector<uint8_t> codes_expected;
        for (int64_t i = 0; i < count; ++i) {
          const auto at = static_cast<size_t>(i), c = static_cast<size_t>(i % channels);
          float v = x[at];
          if (affine) v = v * scale[c];
          if (affine) v = v + shift[c];
          v = v + skip[at];
          expected.push_back(!relu || v > 0 ? v : 0);
          codes_expected.push_back(byte_of(expected.back(), grid));
        }
        on_every_isa([&](const Kernels& kernels) {
          std::vector<float> y = x;
          std::vector<uint8_t> codes(y.size());
          kernels.pointwise(y.data(), pixels, channels,
                            {.scale = affine ? scale.data() : nullptr,
                             .shift = affine ? shift.data() : nullptr,
                             .skip = skip.data(),
                             .relu = relu,
                             .y = y.data(),
                             .codes = codes.data(),
                             .grid = grid});
          CHECK(same_bits(y, expected));
          CHECK(codes == codes_expected);
        });
      }
    }
  }
}

TEST_CASE("integer images: bytes by a table for each channel") {
  for (const int64_t channels : {1, 3, 4, 5}) {
    const int64_t filled = (channels + 3) / 4 * 4;
    std::vector<uint8_t> tables(static_cast<size_t>(channels * 256)), image(static_cast<size_t>(channels * 300));
    for (size_t i = 0; i < tables.size(); ++i) tables[i] = static_cast<uint8_t>(i * 91 + i / 256);
    for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<uint8_t>(i * 37 + i / 7);
    on_every_isa([&](const Kernels& kernels) {
      std::vector<uint8_t> codes(static_cast<size_t>(filled * 300), 9);
      kernels.look_up(image.data(), 300, channels, tables.data(), codes.data());
      for (int64_t i = 0; i < 300; ++i) {
        for (int64_t c = 0; c < channels; ++c) {
          const uint8_t byte = image[static_cast<size_t>(i * channels + c)];
          REQUIRE(codes[static_cast<size_t>(i * filled + c)] == tables[static_cast<size_t>(c * 256 + byte)]);
        }
      }
    });
  }
}

TEST_CASE("integer networks' pooling: the largest of a window, the mean in the pixels' order") {
  for (const int64_t channels : {4, 20, 64}) {
    const Pool pool{
        .in_h = 7, .in_w = 6, .out_h = 4, .out_w = 3, .channels = channels, .kernel = 3, .stride = 2, .pad = 1};
    const int64_t images = 2, pixels = pool.in_h * pool.in_w;
    const auto x = some_floats(images * pixels * channels, -3, 1);
    std::vector<float> largest, means;
    for (int64_t r = 0; r < images * pool.out_h; ++r) {
      for (int64_t j = 0; j < pool.out_w; ++j) {
        for (int64_t c = 0; c < channels; ++c) {
          float most = -100;
          for (int64_t k = 0; k < 9; ++k) {
            const int64_t h = r % pool.out_h * 2 + k / 3 - 1, w = j * 2 + k % 3 - 1;
            if (h < 0 || h >= pool.in_h || w < 0 || w >= pool.in_w) continue;
            const int64_t pixel = (r / pool.out_h * pool.in_h + h) * pool.in_w + w;
            most = std::max(most, x[static_cast<size_t>(pixel * channels + c)]);
          }
          largest.push_back(most);
        }
      }
    }
    for (int64_t c = 0; c < channels; ++c) {
      float sum = 0;
      for (int64_t i = 0; i < pixels; ++i) sum = sum + x[static_cast<size_t>(i * channels + c)];
      means.push_back(sum * (1.0f / static_cast<float>(pixels)));
    }
    on_every_isa([&](const Kernels& kernels) {
      std::vector<float> y(largest.size()), mean(means.size());
      kernels.max_pool(pool, x.data(), 0, 3, y.data());
      kernels.max_pool(pool, x.data(), 3, images * pool.out_h, y.data());
      CHECK(same_bits(y, largest));
      kernels.average(x.data(), pixels, channels, mean.data());
      CHECK(same_bits(mean, means));
    });
  }
}

TEST_CASE("integer convolution: shares of its work cover it once") {
  for (const int64_t images : {1, 2, 5, 32}) {
    for (const int64_t size : {1, 4, 7, 32}) {
      for (const int64_t count : {1, 2, 3, 8}) {
        const ConvShape s = Case{.in_h = size, .in_w = size, .in_c = 8, .out_c = 100}.shape();
        std::vector<int> done(static_cast<size_t>(images * size * 4));
        for (int64_t share = 0; share < count; ++share) {
          const Part p = share_of(whole_work(s, images), share, count);
          CHECK((p.row_begin % 2 == 0 || p.empty()));
          CHECK((p.row_end % 2 == 0 || p.row_end == size));
          for (int64_t n = p.image_begin; n < p.image_end; ++n) {
            for (int64_t i = p.row_begin; i < p.row_end; ++i) {
              for (int64_t k = p.panel_begin; k < p.panel_end; ++k) ++done[static_cast<size_t>((n * size + i) * 4 + k)];
            }
          }
        }
        CHECK(std::all_of(done.begin(), done.end(), [](int times) { return times == 1; }));
      }
    }
  }
}

}  // namespace ntq::integer::test
