// Convolutions of codes on every instruction set, against plain loops: equal to the bit.
#include <doctest/doctest.h>

#include "base/isa.h"
#include "tests/base/integer_case.h"

namespace ntq::integer::test {
namespace {

void check_conv(const Case& c, Way way = Way::direct) {
  CAPTURE(c.in_h);
  CAPTURE(c.in_w);
  CAPTURE(c.in_c);
  CAPTURE(c.out_c);
  CAPTURE(c.kernel);
  CAPTURE(c.stride);
  CAPTURE(c.bounds.x_top);
  CAPTURE(c.bounds.w_top);
  const Problem problem(c);
  const Outputs expected = problem.expected();
  for (const std::string& isa : cpu::available_isas(cpu::IsaList::integers)) {
    CAPTURE(isa);
    for (const int64_t parts : {1, 3}) {
      const Outputs found = problem.computed(kernels_of(isa), way, parts);
      if (c.floats) CHECK(same_bits(found.y, expected.y));
      if (c.codes) CHECK(found.codes == expected.codes);
    }
  }
}

/// Bounds of unsigned codes of `a` bits and weights of `w`.
CodeBounds bits(int a, int w, int32_t zero = 0) { return {.zero = zero, .x_top = (1 << a) - 1, .w_top = 1 << (w - 1)}; }

}  // namespace

TEST_CASE("integer convolution: sizes around vectors, panels and tiles") {
  for (const int64_t out_c : {4, 8, 12, 16, 20, 32, 36, 64, 76}) {
    for (const int64_t in_c : {4, 8, 20, 64}) {
      check_conv({.in_h = 5, .in_w = 4, .in_c = in_c, .out_c = out_c});
    }
  }
  for (int64_t size = 1; size <= 14; ++size)
    check_conv({.images = 2, .in_h = size, .in_w = size, .in_c = 8, .out_c = 36});
}

TEST_CASE("integer convolution: filters, strides and taps outside") {
  for (const int64_t kernel : {1, 2, 3, 5, 7}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t pad : {int64_t{0}, kernel / 2, kernel}) {
        for (const int32_t zero : {0, 128}) {
          check_conv({.images = 2,
                      .in_h = 9,
                      .in_w = 8,
                      .in_c = 4,
                      .out_c = 40,
                      .kernel = kernel,
                      .stride = stride,
                      .pad = pad,
                      .bounds = bits(8, 8, zero)});
        }
      }
    }
  }
  check_conv({.in_h = 3, .in_w = 300, .in_c = 4, .out_c = 8});  // a row longer than a block
  check_conv({.images = 70, .in_h = 2, .in_w = 2, .in_c = 4, .out_c = 8});
}

TEST_CASE("integer convolution: all widths of codes, random and extreme") {
  for (int a = 2; a <= 8; ++a) {
    for (int w = 2; w <= 8; ++w) {
      for (const Fill fill : {Fill::random, Fill::extremes, Fill::longest})
        check_conv({.in_h = 3, .in_w = 3, .in_c = 72, .out_c = 32, .bounds = bits(a, w), .fill = fill});
    }
  }
}

TEST_CASE("integer convolution: the longest sum that int32 holds") {
  Case c{.in_h = 1, .in_w = 1, .in_c = 65792, .out_c = 4, .kernel = 1, .pad = 0};
  CHECK(sums_fit(c.shape(), c.bounds));
  for (const Fill fill : {Fill::random, Fill::extremes, Fill::longest}) {
    c.fill = fill;
    check_conv(c);
  }
  c.in_c = 65796;
  CHECK_FALSE(sums_fit(c.shape(), c.bounds));
  CHECK_THROWS_WITH_AS(Problem(c).computed(kernels_of("portable"), Way::direct), doctest::Contains("exceed int32"),
                       std::invalid_argument);
}

TEST_CASE("integer convolution: the epilogue") {
  Case c{.images = 2, .in_h = 4, .in_w = 5, .in_c = 12, .out_c = 44};
  for (const bool skip : {false, true}) {
    for (const bool relu : {false, true}) {
      for (const CodeGrid& grid :
           {CodeGrid{.step = 0.37f, .low = 0, .high = 15}, CodeGrid{.step = 1.9f, .low = -8, .high = 7, .zero = 8},
            CodeGrid{.step = 3e-9f, .low = -128, .high = 127, .zero = 128}, CodeGrid{.step = 1e-40f},
            CodeGrid{.step = 1e38f}}) {
        c.skip = skip, c.relu = relu, c.grid = grid;
        for (const auto& [floats, codes] : {std::pair{true, true}, {true, false}, {false, true}}) {
          c.floats = floats, c.codes = codes;
          check_conv(c);
        }
      }
    }
  }
  for (const int64_t stride : {1, 2}) {
    c.stride = stride, c.shift_by_taps = true, c.floats = true;
    check_conv(c);
  }
}

TEST_CASE("integer convolution: weights at halves of a step, by sums over windows") {
  for (const int32_t halves : {1, -3, 256}) {
    for (const int64_t kernel : {1, 3, 5}) {
      for (const int64_t stride : {1, 2}) {
        check_conv({.images = 2,
                    .in_h = 7,
                    .in_w = 6,
                    .in_c = 20,
                    .out_c = 36,
                    .kernel = kernel,
                    .stride = stride,
                    .pad = kernel / 2,
                    .bounds = bits(8, 8, halves == 1 ? 0 : 128),
                    .halves = halves,
                    .skip = true});
      }
    }
    check_conv({.in_h = 5, .in_w = 9, .in_c = 4, .out_c = 16, .bounds = bits(8, 8), .filled = 1, .halves = halves});
    check_conv(
        {.in_h = 4, .in_w = 4, .in_c = 64, .out_c = 4, .kernel = 4, .pad = 0, .bounds = bits(8, 8), .halves = halves});
    for (const int64_t in_c : {16, 64}) {
      for (const int64_t out_c : {16, 36}) {
        Case c{
            .images = 2, .in_h = 5, .in_w = 7, .in_c = in_c, .out_c = out_c, .bounds = bits(4, 4, 5), .halves = halves};
        check_conv(c, Way::winograd);
        c.shift_by_taps = true;
        check_conv(c, Way::winograd);
      }
    }
  }
}

TEST_CASE("integer Winograd: sizes") {
  for (const int64_t in_c : {16, 32, 48, 64, 128, 192}) {
    for (const int64_t out_c : {16, 20, 32, 48, 64, 100})
      check_conv({.in_h = 5, .in_w = 6, .in_c = in_c, .out_c = out_c, .bounds = bits(4, 4)}, Way::winograd);
  }
  for (int64_t size = 1; size <= 12; ++size) {
    check_conv({.images = 3, .in_h = size, .in_w = 13 - size, .in_c = 16, .out_c = 32, .bounds = bits(4, 4)},
               Way::winograd);
  }
  check_conv({.images = 5, .in_h = 7, .in_w = 7, .in_c = 64, .out_c = 32, .bounds = bits(4, 4)}, Way::winograd);
  check_conv({.in_h = 6, .in_w = 7, .in_c = 32, .out_c = 32, .pad = 0, .bounds = bits(4, 4)}, Way::winograd);
}

TEST_CASE("integer Winograd: widths, extremes, and the epilogue") {
  for (int a = 2; a <= 5; ++a) {
    for (int w = 2; w <= 4; ++w) {
      for (const Fill fill : {Fill::random, Fill::extremes, Fill::longest})
        check_conv({.in_h = 4, .in_w = 4, .in_c = 64, .out_c = 32, .bounds = bits(a, w), .fill = fill}, Way::winograd);
    }
  }
  Case c{.in_h = 5, .in_w = 6, .in_c = 32, .out_c = 36, .bounds = bits(4, 4, 8), .skip = true, .relu = true};
  check_conv(c, Way::winograd);
  c.shift_by_taps = true, c.grid = {.step = 0.6f, .high = 15};
  check_conv(c, Way::winograd);
}

TEST_CASE("integer convolution of three channels: rows of taps as runs of bytes") {
  for (const int64_t kernel : {4, 5, 7}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t pad : {int64_t{0}, kernel / 2, kernel - 1}) {
        for (const int32_t zero : {0, 128}) {
          check_conv({.images = 2,
                      .in_h = 9,
                      .in_w = 8,
                      .in_c = 4,
                      .out_c = 36,
                      .kernel = kernel,
                      .stride = stride,
                      .pad = pad,
                      .bounds = bits(8, 8, zero),
                      .filled = 1},
                     Way::tight);
        }
      }
    }
  }
  Case c{.in_h = 30, .in_w = 41, .in_c = 4, .out_c = 64, .kernel = 7, .stride = 2, .pad = 3, .filled = 1};
  for (const int a : {2, 4, 8}) {
    for (const Fill fill : {Fill::random, Fill::longest}) {
      c.bounds = bits(a, a), c.fill = fill;
      check_conv(c, Way::tight);
    }
  }
  c.bounds = bits(8, 8, 100), c.skip = c.relu = true;
  check_conv(c, Way::tight);
  c.bounds = bits(8, 4), c.halves = 1;
  check_conv(c, Way::tight);
}

TEST_CASE("integer convolution: a sum takes the place of what is added") {
  Case c{.images = 2, .in_h = 6, .in_w = 7, .in_c = 32, .out_c = 100, .bounds = bits(4, 4), .skip = true};
  c.in_place = true, c.relu = true;
  check_conv(c);
  check_conv(c, Way::winograd);
}

TEST_CASE("few pixels prefer direct sums where weights exceed a core's cache") {
  const ConvShape late = Case{.in_h = 7, .in_w = 7, .in_c = 512, .out_c = 512}.shape();
  CHECK(prefers_direct(late, 49));
  CHECK_FALSE(prefers_direct(late, 2 * 49));
  CHECK_FALSE(prefers_direct(Case{.in_h = 8, .in_w = 8, .in_c = 256, .out_c = 256}.shape(), 64));
}

TEST_CASE("rows of taps are runs of bytes where that saves products") {
  const auto tight = [](Case c, int8_t last, bool by_taps) {
    std::vector<int8_t> codes(static_cast<size_t>(c.out_c * c.kernel * c.kernel * c.in_c), int8_t{1});
    for (size_t i = 3; i < codes.size(); i += 4) codes[i] = last;
    return pack(c.shape(), c.bounds, codes, by_taps).tight;
  };
  const Case stem{.in_h = 9, .in_w = 9, .in_c = 4, .out_c = 8, .kernel = 7, .pad = 3};
  CHECK(tight(stem, 0, false));
  CHECK_FALSE(tight(stem, 1, false));  // four channels
  CHECK_FALSE(tight(stem, 0, true));   // its pixels have no sets of taps
  Case other = stem;
  other.kernel = 3, other.pad = 1;
  CHECK_FALSE(tight(other, 0, false));  // three quads either way
  other = stem, other.in_c = 8;
  CHECK_FALSE(tight(other, 0, false));
  other = stem, other.pad = 7;
  CHECK_FALSE(tight(other, 0, false));  // the border may be large
}

TEST_CASE("integer Winograd is for 3x3 filters of stride 1 and codes that its bytes hold") {
  const Case fits{.in_h = 8, .in_w = 8, .in_c = 32, .out_c = 16, .bounds = bits(5, 4)};
  CHECK(uses_winograd(fits.shape(), fits.bounds));
  const auto refused = [&](const auto& change) {
    Case c = fits;
    change(c);
    CHECK_FALSE(uses_winograd(c.shape(), c.bounds));
    CHECK_FALSE(pack(c.shape(), c.bounds,
                     std::vector<int8_t>(static_cast<size_t>(c.out_c * c.kernel * c.kernel * c.in_c)), false)
                    .winograd);
  };
  refused([](Case& c) { c.kernel = 1, c.pad = 0; });
  refused([](Case& c) { c.stride = 2; });
  refused([](Case& c) { c.pad = 2; });
  refused([](Case& c) { c.in_c = 12; });
  refused([](Case& c) { c.out_c = 12; });
  refused([](Case& c) { c.bounds.x_top = 63; });
  refused([](Case& c) { c.bounds.w_top = 16; });
}

TEST_CASE("weights to pack are as many as their shape says, and within their bound") {
  const Case c{.in_h = 4, .in_w = 4, .in_c = 4, .out_c = 4, .bounds = bits(8, 4)};
  std::vector<int8_t> codes(4 * 9 * 4);
  codes[3] = 9;
  CHECK_THROWS_WITH_AS(pack(c.shape(), c.bounds, codes, false), doctest::Contains("exceed their bound, 8"),
                       std::invalid_argument);
  codes.pop_back();
  CHECK_THROWS_WITH_AS(pack(c.shape(), c.bounds, codes, false), doctest::Contains("expected 144 codes, found 143"),
                       std::invalid_argument);
}

}  // namespace ntq::integer::test
