// Convolutions of sizes that are rare: many taps, nothing at all; and how far Winograd's are from the definition.
#include <doctest/doctest.h>

#include "engine/backend/cpu/cpu_backend.h"
#include "tests/engine/conv_run.h"
#include "tests/support/numeric_grad.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("filters of any number of taps agree with the definition") {
  // 128 taps and more: 11x12 to 33x33, of one channel (all taps in one block) and of many; odd strides and paddings.
  std::vector<ConvGeometry> list = {geometry(1, 12, 8, 3, 12, 1, 0),   geometry(2, 13, 8, 5, 12, 3, 7),
                                    geometry(1, 14, 3, 8, 12, 1, 5),   geometry(1, 13, 3, 3, 12, 2, 1),
                                    geometry(1, 20, 16, 16, 13, 5, 9), geometry(1, 33, 8, 1, 33, 1, 2),
                                    geometry(1, 24, 1, 1, 20, 1, 3),   geometry(1, 20, 9, 2, 19, 7, 30)};
  ConvGeometry flat = geometry(2, 13, 8, 9, 1, 1, 0);  // 129 taps in one row, rows of padding only
  flat.kernel_h = 1, flat.kernel_w = 129, flat.pad = 64;
  flat.out_h = flat.in_h + 128, flat.out_w = flat.in_w;
  list.push_back(flat);
  for (const std::string& isa : cpu::available_isas()) {
    CAPTURE(isa);
    const auto backend = cpu::make_cpu_backend(isa);
    for (const ConvGeometry& g : list) {
      CAPTURE(g.in_c);
      CAPTURE(g.out_c);
      CAPTURE(g.kernel_h);
      CAPTURE(g.kernel_w);
      const Tensor x = some_values({g.batch, g.in_h, g.in_w, g.in_c}, 1);
      const Tensor w = some_values({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 2);
      const Tensor dy = some_values({g.batch, g.out_h, g.out_w, g.out_c}, 3);
      const ConvReference expected = reference_conv(g, x.f32(), w.f32(), dy.f32());
      const ConvRun found = run(*backend, g, x, w, dy);
      CHECK(worst_error(found.y, expected.y) < 5e-6);
      CHECK(worst_error(found.dx, expected.dx) < 5e-6);
      CHECK(worst_error(found.dw, expected.dw) < 5e-6);
    }
  }
}

TEST_CASE("convolutions without channels, images or taps give zeros or nothing") {
  for (const std::string& isa : cpu::available_isas()) {
    CAPTURE(isa);
    const auto backend = cpu::make_cpu_backend(isa);
    for (const ConvGeometry& g : {geometry(2, 4, 0, 5, 3, 1, 1), geometry(2, 4, 5, 0, 3, 1, 1),
                                  geometry(0, 4, 5, 5, 3, 1, 1), geometry(2, 4, 5, 5, 0, 1, 0)}) {
      const ConvRun r = run(*backend, g, Tensor::full({g.batch, g.in_h, g.in_w, g.in_c}, 1),
                            Tensor::full({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 1),
                            Tensor::full({g.batch, g.out_h, g.out_w, g.out_c}, 1));
      for (const Tensor& t : {r.y, r.dx, r.dw}) {
        for (const float value : t.to_vector()) REQUIRE(value == 0);
      }
    }
  }
}

TEST_CASE("Winograd's errors stay within what docs/architecture.md says, at 64 to 512 channels") {
  for (const int64_t channels : {64, 128, 256, 512}) {
    CAPTURE(channels);
    ConvGeometry g = geometry(2, 4, channels, channels, 3, 1, 1);
    g.in_w = g.out_w = 4;
    const Tensor x = some_values({2, 4, 4, channels}, 1), dy = some_values({2, 4, 4, channels}, 3);
    const Tensor w = some_values({channels, 3, 3, channels}, 2);
    const ConvReference expected = reference_conv(g, x.f32(), w.f32(), dy.f32());
    for (const std::string& isa : cpu::available_isas()) {
      CAPTURE(isa);
      REQUIRE(goes_by_winograd(g));
      const ConvRun found = run(*cpu::make_cpu_backend(isa), g, x, w, dy);
      const double bound = channels < 512 ? 2.5e-5 : 5e-5;
      CHECK(worst_error(found.y, expected.y) < bound);
      CHECK(worst_error(found.dx, expected.dx) < bound);
      CHECK(worst_error(found.dw, expected.dw) < bound);
    }
  }
}
