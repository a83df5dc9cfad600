// Every instruction set that this processor has, against the definition, against the portable kernels, and for any
// number of threads.
#include "engine/backend/cpu/cpu_backend.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cpu_settings.h"
#include "tests/engine/conv_run.h"
#include "tests/support/numeric_grad.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// Around every border: vector width, panel, register tile, blocks of rows, depth, packing, unfolding, 1x1, strides;
/// Winograd with whole and cut tiles, few and many of them, and around a panel of channels.
const std::vector<ConvGeometry>& geometries() {
  static const std::vector<ConvGeometry> list = {
      geometry(1, 1, 1, 1, 1, 1, 0),    geometry(2, 9, 5, 7, 3, 1, 1),     geometry(3, 8, 3, 16, 3, 1, 1),
      geometry(2, 8, 16, 16, 3, 2, 1),  geometry(2, 7, 17, 33, 3, 2, 1),   geometry(2, 8, 130, 40, 1, 2, 0),
      geometry(5, 1, 100, 10, 1, 1, 0), geometry(1, 13, 8, 8, 7, 2, 3),    geometry(2, 4, 400, 48, 3, 1, 1),
      geometry(1, 5, 32, 15, 5, 1, 2),  geometry(1, 6, 16, 31, 2, 3, 0),   geometry(40, 6, 8, 12, 3, 1, 1),
      geometry(1, 11, 3, 5, 7, 2, 3),   geometry(2, 7, 16, 32, 3, 1, 1),   geometry(3, 8, 48, 16, 3, 1, 1),
      geometry(1, 12, 16, 80, 3, 1, 1), geometry(26, 31, 16, 16, 3, 1, 1), geometry(70, 7, 128, 32, 3, 1, 1),
  };
  return list;
}

}  // namespace

TEST_CASE("convolutions of every instruction set agree with the definition and ignore the thread count") {
  const int before = cpu::threads();
  for (const std::string& isa : cpu::available_isas()) {
    CAPTURE(isa);
    const auto backend = cpu::make_cpu_backend(isa);
    for (const ConvGeometry& g : geometries()) {
      CAPTURE(g.in_c);
      CAPTURE(g.out_c);
      CAPTURE(g.kernel_h);
      CAPTURE(g.stride);
      const Tensor x = some_values({g.batch, g.in_h, g.in_w, g.in_c}, 1);
      const Tensor w = some_values({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 2);
      const Tensor dy = some_values({g.batch, g.out_h, g.out_w, g.out_c}, 3);
      const ConvReference expected = reference_conv(g, x.f32(), w.f32(), dy.f32());
      cpu::set_threads(1);
      const ConvRun one = run(*backend, g, x, w, dy);
      // Winograd's transforms cost about a decimal digit.
      const double tolerance = goes_by_winograd(g) ? 2e-5 : 5e-6;
      CHECK(worst_error(one.y, expected.y) < tolerance);
      CHECK(worst_error(one.dx, expected.dx) < tolerance);
      CHECK(worst_error(one.dw, expected.dw) < tolerance);
      for (const int threads : {2, 5}) {
        cpu::set_threads(threads);
        const ConvRun many = run(*backend, g, x, w, dy);
        CHECK(many.y.to_vector() == one.y.to_vector());
        CHECK(many.dx.to_vector() == one.dx.to_vector());
        CHECK(many.dw.to_vector() == one.dw.to_vector());
      }
    }
  }
  cpu::set_threads(before);
}

TEST_CASE("the list of geometries takes the Winograd path and the direct one") {
  int winograd = 0;
  for (const ConvGeometry& g : geometries()) winograd += goes_by_winograd(g);
  CHECK(winograd == 5);
}

TEST_CASE("quantizers and noise have the same bits on every instruction set, at any cut") {
  const auto portable = cpu::make_cpu_backend("portable");
  const float step = 0.037f;
  const Tensor step_tensor = Tensor::full({1}, step);
  for (const int64_t n : {1, 7, 8, 9, 15, 16, 17, 255, 256, 257, 1000, 100003}) {
    const Tensor x = some_values({n}, 5), dy = some_values({n}, 6);
    const QuantRange range{-8, 7};
    const QuantNoise noise{.c = 0.2f, .k = 50, .key = {.seed = 3, .stream = 4, .step = 5}};
    const auto all = [&](Backend& b) {
      Tensor out = Tensor::empty({4, n}), codes = Tensor::empty({n}, DType::i8), dstep = Tensor::empty({1});
      Tensor error = Tensor::empty({1});
      const View s = step_tensor.view();
      b.quantize({.range = range}, x.view(), s, out.view().part(0, n));
      b.quantize({.range = range, .noise = noise}, x.view(), s, out.view().part(n, n));
      b.quantize_grad({.range = range, .grad_scale = 0.5f}, x.view(), s, dy.view(), out.view().part(2 * n, n),
                      dstep.view());
      b.quantize_codes(range, x.view(), s, codes.view());
      b.quantize_error(range, x.view(), s, error.view());
      for (int64_t i = 0; i < n; ++i) out.f32()[3 * n + i] = static_cast<float>(codes.data<int8_t>()[i]);
      std::vector<float> values = out.to_vector();
      values.push_back(dstep.item());
      values.push_back(error.item());
      return values;
    };
    const std::vector<float> expected = all(*portable);
    double error = 0;
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      const float code = std::nearbyint(std::min(std::max(x.f32()[i] / step, -8.0f), 7.0f));
      REQUIRE(expected[at] == code * step);
      REQUIRE(expected[at + static_cast<size_t>(3 * n)] == code);
      error += std::pow(static_cast<double>(code * step - x.f32()[i]), 2);
    }
    CHECK(static_cast<double>(expected.back()) == doctest::Approx(error).epsilon(1e-5));
    for (const std::string& isa : cpu::available_isas()) {
      CAPTURE(isa);
      CHECK(all(*cpu::make_cpu_backend(isa)) == expected);
    }
  }
}

TEST_CASE("the noise is standard normal, tempered by each element's error") {
  // step 2, x = 1/2: code 0, e = 1/2 everywhere. Noise = c exp(-k e) sqrt(e) eps.
  const int64_t n = 200000;
  const Tensor x = Tensor::full({n}, 0.5f);
  Tensor y = Tensor::empty({n});
  const Tensor step = Tensor::full({1}, 2);
  const QuantizeArgs args{.range = {-2, 1}, .noise = {.c = 0.5f, .k = 3, .key = {.seed = 9}}};
  cpu::cpu_backend().quantize(args, x.view(), step.view(), y.view());
  const double scale = 0.5 * std::exp(-1.5) * std::sqrt(0.5);
  double mean = 0, square = 0, fourth = 0, neighbours = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double eps = static_cast<double>(y.f32()[i]) / scale;
    mean += eps / n;
    square += eps * eps / n;
    fourth += eps * eps * eps * eps / n;
    if (i) neighbours += eps * static_cast<double>(y.f32()[i - 1]) / scale / n;
  }
  CHECK(std::abs(mean) < 0.012);  // five deviations of the estimates
  CHECK(std::abs(square - 1) < 0.016);
  CHECK(std::abs(fourth - 3) < 0.11);
  CHECK(std::abs(neighbours) < 0.012);
}

TEST_CASE("batch norm and sums ignore the thread count and agree with the portable kernels") {
  const int before = cpu::threads();
  const auto portable = cpu::make_cpu_backend("portable");
  for (const int64_t channels : {1, 3, 8, 16, 17, 64}) {
    const int64_t rows = 5000;
    const Tensor x = some_values({rows, channels}, 1), dy = some_values({rows, channels}, 2);
    const Tensor gamma = some_values({channels}, 3), beta = some_values({channels}, 4);
    const auto all = [&](Backend& b, int threads) {
      cpu::set_threads(threads);
      Tensor mean = Tensor::empty({channels}), inv_std = Tensor::empty({channels}), y = Tensor::empty(x.shape());
      Tensor run_mean = Tensor::zeros({channels}), run_var = Tensor::full({channels}, 1), whole = Tensor::empty({1});
      Tensor dx = Tensor::empty(x.shape()), dr = Tensor::empty(x.shape());
      Tensor dgamma = Tensor::empty({channels}), dbeta = Tensor::empty({channels}), total = Tensor::empty({channels});
      b.batch_norm_stats(x.view(), {mean.view(), inv_std.view(), run_mean.view(), run_var.view()});
      NormArgs args{x.view(), mean.view(), inv_std.view(), gamma.view(), beta.view(), dy.view(), true};
      b.batch_norm_apply(args, y.view());
      args.y = y.view(), args.dy = dy.view();
      b.batch_norm_grad(args, {dx.view(), dgamma.view(), dbeta.view(), dr.view()});
      b.sum_rows(x.view(), total.view());
      b.sum(x.view(), 1.0, whole.view());
      std::vector<float> values;
      for (const Tensor& t : {whole, mean, inv_std, run_mean, run_var, y, dx, dr, dgamma, dbeta, total}) {
        const std::vector<float> part = t.to_vector();
        values.insert(values.end(), part.begin(), part.end());
      }
      return values;
    };
    const std::vector<float> expected = all(*portable, 1);
    for (const std::string& isa : cpu::available_isas()) {
      CAPTURE(isa);
      const auto backend = cpu::make_cpu_backend(isa);
      const std::vector<float> one = all(*backend, 1);
      CHECK(all(*backend, 2) == one);
      CHECK(all(*backend, 5) == one);
      double worst = 0;
      for (size_t i = 0; i < one.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(one[i] - expected[i])) /
                                    (1 + std::abs(static_cast<double>(expected[i]))));
      CHECK(worst < 2e-4);
    }
  }
  cpu::set_threads(before);
}

TEST_CASE("elementwise kernels are exact at every length around the vector width") {
  for (const std::string& isa : cpu::available_isas()) {
    const auto b = cpu::make_cpu_backend(isa);
    for (int64_t n = 0; n < 40; ++n) {
      const Tensor x = some_values({n}, 1), z = some_values({n}, 2);
      Tensor y = Tensor::full({n + 1}, -7);  // one more: a guard against overruns
      const View to = y.view().part(0, n);
      b->binary(Binary::add, x.view(), z.view(), to);
      for (int64_t i = 0; i < n; ++i) REQUIRE(y.f32()[i] == x.f32()[i] + z.f32()[i]);
      b->relu(x.view(), to);
      for (int64_t i = 0; i < n; ++i) REQUIRE(y.f32()[i] == std::max(x.f32()[i], 0.0f));
      b->relu_grad(x.view(), z.view(), to);
      for (int64_t i = 0; i < n; ++i) REQUIRE(y.f32()[i] == (x.f32()[i] > 0 ? z.f32()[i] : 0.0f));
      b->scale(3, x.view(), to);
      b->axpy(2, z.view(), to);
      for (int64_t i = 0; i < n; ++i) REQUIRE(y.f32()[i] == 3 * x.f32()[i] + 2 * z.f32()[i]);
      REQUIRE(y.f32()[n] == -7);
    }
  }
}

TEST_CASE("not-a-number stays visible") {
  const auto b = cpu::make_cpu_backend(cpu::available_isas().back());
  Tensor x = Tensor::full({100}, 1);
  Tensor finite = Tensor::empty({1});
  b->all_finite(x.view(), finite.view());
  CHECK(finite.item() == 1);
  x.f32()[63] = std::nanf("");
  b->all_finite(x.view(), finite.view());
  CHECK(finite.item() == 0);
  Tensor y = Tensor::empty({100});
  const Tensor step = Tensor::full({1}, 0.1f);
  b->quantize({.range = {-8, 7}}, x.view(), step.view(), y.view());
  CHECK(std::isnan(y.f32()[63]));
  b->relu(x.view(), y.view());
  CHECK(std::isnan(y.f32()[63]));
}

TEST_CASE("sgd: the first two updates by hand, with a floor") {
  float w[] = {1.0f, 1.0f}, m[] = {0, 0};
  const float g[] = {0.5f, 100.0f};
  const SgdUpdate update{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 0.1f, .floor = 0.25f};
  cpu::cpu_backend().sgd_step(update, view_of(w, 2), view_of(g, 2), view_of(m, 2));
  CHECK(m[0] == doctest::Approx(0.6));
  CHECK(w[0] == doctest::Approx(0.94));
  CHECK(w[1] == 0.25f);
  cpu::cpu_backend().sgd_step(update, view_of(w, 2), view_of(g, 2), view_of(m, 2));
  CHECK(m[0] == doctest::Approx(0.9 * 0.6 + 0.5 + 0.094));
}

TEST_CASE("what is not finite stays so: quantizers, floors") {
  const float inf = INFINITY;
  for (const std::string& isa : cpu::available_isas()) {
    CAPTURE(isa);
    const auto b = cpu::make_cpu_backend(isa);
    for (const int64_t at : {3, 63, 98}) {  // in a whole vector, and in the rest
      for (const float bad : {inf, -inf, std::nanf("")}) {
        Tensor x = Tensor::full({99}, 0.25f), y = Tensor::empty({99});
        x.f32()[at] = bad;
        const Tensor step = Tensor::full({1}, 0.1f);
        for (const float c : {0.0f, 0.2f}) {
          const QuantizeArgs args{.range = {-8, 7}, .noise = {.c = c, .k = 50, .key = {}}};
          b->quantize(args, x.view(), step.view(), y.view());
          for (int64_t i = 0; i < 99; ++i) REQUIRE(std::isnan(y.f32()[i]) == (i == at));
        }
        Tensor w = Tensor::full({99}, 1), m = Tensor::zeros({99});
        for (const float floor : {SgdUpdate{}.floor, 1e-8f}) {
          w.fill(1), m.fill(0);
          b->sgd_step({.lr = 1, .floor = floor}, w.view(), x.view(), m.view());
          REQUIRE(w.f32()[0] == 0.75f);
          if (std::isnan(bad)) {
            REQUIRE(std::isnan(w.f32()[at]));
          } else {
            REQUIRE(w.f32()[at] == -bad);
          }
        }
      }
    }
    // The largest finite numbers are clamped as any other.
    Tensor x = Tensor::from({2}, {3.4e38f, -3.4e38f}), y = Tensor::empty({2});
    const Tensor step = Tensor::full({1}, 1);
    b->quantize({.range = {-8, 7}}, x.view(), step.view(), y.view());
    CHECK(y.to_vector() == std::vector<float>{7, -8});
  }
}

TEST_CASE("an instruction set that is unknown is refused with those that are there") {
  CHECK_THROWS_WITH_AS(cpu::kernels_of("mmx"), doctest::Contains("it can run: portable"), DeviceError);
  CHECK_THROWS_AS(set_cpu_threads(0), std::invalid_argument);
}
