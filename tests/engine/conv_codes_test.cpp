// Convolutions of codes in integers: exact sums, one rounding, the same bits everywhere.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "engine/backend/cpu/conv_plan.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu_settings.h"
#include "engine/backend/registry.h"
#include "engine/ops/cast.h"
#include "engine/ops/conv.h"
#include "engine/ops/kept_codes.h"
#include "engine/ops/quantize.h"
#include "tests/engine/backend_list/conv.h"
#include "tests/support/numeric_grad.h"
#include "tests/support/values.h"

using namespace ntq;
using namespace ntq::test;
using cpu::ConvAlgorithm;

namespace {

constexpr int64_t kMostProducts = int64_t{8} << 20;  // for plain loops

/// Codes of a convolution, and sums of their products by plain loops in int64.
struct CodesProblem {
  ConvGeometry g;
  int32_t x_top, w_top;
  Tensor x, w, x_step = Tensor::full({1}, 0.11f), w_step;

  CodesProblem(const ConvGeometry& of, int32_t x_most, int32_t w_most)
      : g(of),
        x_top(x_most),
        w_top(w_most),
        x(Tensor::empty({g.batch, g.in_h, g.in_w, g.in_c}, DType::u8)),
        w(Tensor::empty({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, DType::i8)),
        w_step(some_values({g.out_c}, 3)) {
    for (int64_t i = 0; i < x.numel(); ++i) x.data<uint8_t>()[i] = static_cast<uint8_t>((i * 37 + i / 5) % (x_top + 1));
    for (int64_t i = 0; i < w.numel(); ++i)
      w.data<int8_t>()[i] = static_cast<int8_t>((i * 29 + i / 7) % (2 * w_top) - w_top);
    for (int64_t i = 0; i < w_step.numel(); ++i) w_step.f32()[i] = 0.01f + std::fabs(w_step.f32()[i]);
  }
  CodeConv codes() const { return {x.view(), w.view(), x_step.view(), w_step.view(), x_top, w_top}; }
  Tensor run(Backend& backend, DType type) const {
    const Tensor y = Tensor::empty({g.batch, g.out_h, g.out_w, g.out_c}, type);
    backend.conv2d_codes(g, codes(), y.view());
    return y;
  }
  int64_t sum(int64_t pixel, int64_t co) const {
    const int64_t n = pixel / (g.out_h * g.out_w), i = pixel / g.out_w % g.out_h, j = pixel % g.out_w;
    int64_t total = 0;
    for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
      for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
        const int64_t h = i * g.stride - g.pad + kh, v = j * g.stride - g.pad + kw;
        if (h < 0 || h >= g.in_h || v < 0 || v >= g.in_w) continue;
        for (int64_t c = 0; c < g.in_c; ++c) {
          total += int64_t{x.data<uint8_t>()[((n * g.in_h + h) * g.in_w + v) * g.in_c + c]} *
                   w.data<int8_t>()[((co * g.kernel_h + kh) * g.kernel_w + kw) * g.in_c + c];
        }
      }
    }
    return total;
  }
  Tensor expected() const {
    const Tensor y = Tensor::empty({g.batch, g.out_h, g.out_w, g.out_c});
    for (int64_t i = 0; i < y.numel(); ++i) {
      const float scale = x_step.item() * w_step.f32()[i % g.out_c];
      y.f32()[i] = static_cast<float>(sum(i / g.out_c, i % g.out_c)) * scale;
    }
    return y;
  }
};

std::optional<ConvAlgorithm> plan_of(const ConvGeometry& g, int32_t x_top, int32_t w_top, DType x = DType::u8) {
  return cpu::plan_codes(g, {{nullptr, x, 0}, {}, {}, {}, x_top, w_top});
}

}  // namespace

TEST_CASE("a product of codes by hand") {
  const uint8_t bytes[] = {1, 2, 3, 15};
  const int8_t weights[] = {1, 0, -1, 2, 0, 0, 0, 0, -8, 7, 0, 0, 1, 1, 1, -7};
  const Tensor x = Tensor::from({1, 1, 1, 4}, std::span<const uint8_t>(bytes)),
               w = Tensor::from({4, 1, 1, 4}, std::span<const int8_t>(weights)), x_step = Tensor::full({1}, 0.5f),
               w_step = Tensor::from({4}, {0.25f, 0.5f, 1.0f, 2.0f}), y = Tensor::empty({4});
  ConvGeometry g;
  g.in_c = g.out_c = 4;
  each_backend(Primitive::conv2d_codes, [&](Backend& backend) {
    if (!backend.host_memory()) return;
    backend.conv2d_codes(g, {x.view(), w.view(), x_step.view(), w_step.view(), 15, 8}, y.view());
    CHECK(y.to_vector() == std::vector<float>{28 * 0.125f, 0, 6 * 0.5f, -99 * 1.0f});
  });
}

TEST_CASE("products of codes in integers are exact, then rounded: the same bits on every instruction set and thread") {
  const int before = cpu_threads();
  int in_integers = 0, by_winograd = 0;
  for (const ConvGeometry& g : conv_geometries()) {
    if (g.macs() > kMostProducts) continue;
    for (const auto& [x_top, w_top] : {std::pair{15, 8}, {255, 128}}) {
      const auto plan = plan_of(g, x_top, w_top);
      if (!plan) continue;
      ++in_integers;
      by_winograd += *plan == ConvAlgorithm::code_winograd;
      const CodesProblem p(g, x_top, w_top);
      CAPTURE(sizes_of(g));
      const Tensor sums = p.expected();
      for (const DType type : {DType::f32, DType::bf16}) {
        const Tensor expected = cast(sums, type);
        for (const NamedBackend& named : all_backends()) {
          if (!named.to_the_bit) continue;
          CAPTURE(named.name);
          for (const int threads : {1, 3}) {
            set_cpu_threads(threads);
            CHECK(same_values(p.run(*named.backend, type), expected));
          }
        }
      }
    }
  }
  set_cpu_threads(before);
  CHECK(in_integers > 15);
  CHECK(by_winograd > 3);
}

TEST_CASE("in exact arithmetic integers give what the filters as floats give") {
  Backend& backend = backend_for(Device());
  for (const ConvGeometry& g : {conv_geometry(2, 8, 16, 32, 3, 2, 1), conv_geometry(2, 8, 64, 32, 1, 1, 0)}) {
    CodesProblem p(g, 15, 8);
    p.x_step.fill(0.25f), p.w_step.fill(0.5f);
    REQUIRE(plan_of(g, 15, 8));
    const Tensor y = Tensor::empty({g.batch, g.out_h, g.out_w, g.out_c});
    backend.Backend::conv2d_codes(g, p.codes(), y.view());
    CHECK(same_values(p.run(backend, DType::f32), y));
  }
}

TEST_CASE("which products of codes are of integers follows from sizes and types") {
  using enum ConvAlgorithm;
  CHECK(plan_of(conv_geometry(128, 32, 16, 16, 3, 1, 1), 15, 8) == code_winograd);
  CHECK(plan_of(conv_geometry(128, 8, 64, 64, 3, 1, 1), 3, 2) == code_winograd);
  CHECK(plan_of(conv_geometry(128, 8, 64, 64, 3, 1, 1), 255, 128) == code_product);
  CHECK(plan_of(conv_geometry(1, 4, 512, 512, 3, 1, 1), 15, 8) == code_product);  // few pixels
  CHECK(plan_of(conv_geometry(128, 32, 64, 128, 3, 2, 1), 15, 8) == code_product);
  CHECK(plan_of(conv_geometry(16, 56, 64, 256, 1, 1, 0), 15, 8) == code_product);
  // Signed inputs, channels that are no whole quads, sums that int32 may not hold.
  CHECK_FALSE(plan_of(conv_geometry(128, 32, 16, 16, 3, 1, 1), 8, 8, DType::i8));
  CHECK_FALSE(plan_of(conv_geometry(128, 32, 3, 16, 3, 1, 1), 15, 8));
  CHECK_FALSE(plan_of(conv_geometry(128, 1, 512, 10, 1, 1, 0), 15, 8));
  CHECK_FALSE(plan_of(conv_geometry(1, 3, 65536, 4, 3, 1, 1), 255, 128));
}

TEST_CASE("kept codes on both sides: their exact product, and the gradients of values") {
  Tensor x = some_values({3, 6, 6, 16}, 1), w = some_values({8, 3, 3, 16}, 2), x_step = Tensor::full({1}, 0.11f),
         w_step = some_values({8}, 3);
  for (int64_t i = 0; i < 8; ++i) w_step.f32()[i] = 0.05f + std::fabs(w_step.f32()[i]);
  const QuantizeArgs x_args{.range = {0, 15}, .grad_scale = 0.3f}, w_args{.range = {-8, 7}, .grad_scale = 0.2f};
  const std::vector<Tensor> inputs{x, w, x_step, w_step};
  for (Tensor input : inputs) input.set_requires_grad(true);
  const auto results = [&](const Tensor& y) {
    for (Tensor input : inputs) input.zero_grad();
    probe_loss(y).backward();
    std::vector<Tensor> out{y.detach()};
    for (const Tensor& input : inputs) out.push_back(input.grad());
    return out;
  };
  const auto kept = [&] { return conv2d(quantize_kept(x, {x_step, x_args}), quantize_kept(w, {w_step, w_args})); };
  const std::vector<Tensor> found = results(kept()),
                            wanted = results(conv2d(quantize(x, x_step, x_args), quantize(w, w_step, w_args)));
  for (size_t k = 0; k < found.size(); ++k) {
    CAPTURE(k);
    float largest = 0, off = 0;
    for (int64_t i = 0; i < found[k].numel(); ++i) {
      largest = std::max(largest, std::fabs(wanted[k].f32()[i]));
      off = std::max(off, std::fabs(wanted[k].f32()[i] - found[k].f32()[i]));
    }
    CHECK(off <= 1e-5f * largest);
  }
  Tensor bad = w.detach().clone();
  bad.f32()[300] = std::numeric_limits<float>::infinity();
  bad.set_requires_grad(true);
  const Tensor y = conv2d(quantize_kept(x, {x_step, x_args}), quantize_kept(bad, {w_step, w_args}));
  for (int64_t i = 0; i < y.numel(); ++i) CHECK(std::isnan(y.f32()[i]) == (i % 8 == 300 / 144));  // its channel alone
}

TEST_CASE("convolutions of codes with a step have the bits of the values that these stand for") {
  for (const ConvGeometry& g : conv_geometries()) {
    if (g.macs() > kMostProducts) continue;
    CAPTURE(sizes_of(g));
    const Tensor w = some_values({g.out_c, g.kernel_h, g.kernel_w, g.in_c}, 2);
    const Tensor dy = some_values({g.batch, g.out_h, g.out_w, g.out_c}, 3);
    const Tensor step = Tensor::full({1}, 0.11f);
    for (const DType type : {DType::u8, DType::i8}) {
      const Tensor codes = Tensor::empty({g.batch, g.in_h, g.in_w, g.in_c}, type);
      const Tensor values = Tensor::empty(codes.shape());
      for (int64_t i = 0; i < codes.numel(); ++i) {
        const auto byte = static_cast<uint8_t>(i * 37 + i / 5);
        static_cast<uint8_t*>(codes.raw())[i] = byte;
        const int code = type == DType::u8 ? int{byte} : int{static_cast<int8_t>(byte)};
        values.f32()[i] = static_cast<float>(code) * step.item();
      }
      const BackendCase pairs[2][2] = {
          {{Primitive::conv2d,
            "codes",
            {codes, step, w},
            {output(dy.numel())},
            [g](Backend& b, const Inputs& in, const Outputs& out) {
              b.conv2d(g, {in[0], in[1]}, in[2], out[0]);
            }},
           {Primitive::conv2d,
            "values",
            {values, w},
            {output(dy.numel())},
            [g](Backend& b, const Inputs& in, const Outputs& out) { b.conv2d(g, in[0], in[1], out[0]); }}},
          {{Primitive::conv2d_grad_weight,
            "codes",
            {dy, codes, step},
            {output(w.numel())},
            [g](Backend& b, const Inputs& in, const Outputs& out) {
              b.conv2d_grad_weight(g, in[0], {in[1], in[2]}, out[0]);
            }},
           {Primitive::conv2d_grad_weight,
            "values",
            {dy, values},
            {output(w.numel())},
            [g](Backend& b, const Inputs& in, const Outputs& out) { b.conv2d_grad_weight(g, in[0], in[1], out[0]); }}}};
      for (const auto& pair : pairs) {
        each_backend(pair[0].primitive, [&](Backend& b) {
          CHECK(same_values(outputs_of(pair[0], b).at(0), outputs_of(pair[1], b).at(0)));
        });
      }
    }
  }
}

TEST_CASE("codes with a step that is not a number give nothing that is one, in float32 alone") {
  const ConvGeometry g = conv_geometry(1, 8, 16, 16, 3, 1, 1);
  const Tensor codes = Tensor::empty({1, g.in_h, g.in_w, 16}, DType::u8), w = some_values({16, 3, 3, 16}, 2);
  std::fill_n(codes.data<uint8_t>(), codes.numel(), uint8_t{0});
  const Tensor step = Tensor::full({1}, std::numeric_limits<float>::quiet_NaN());
  const Tensor y = Tensor::empty({1, g.out_h, g.out_w, 16}), halves = Tensor::empty(y.shape(), DType::bf16);
  Backend& backend = cpu::cpu_backend();
  backend.conv2d(g, {codes.view(), step.view()}, w.view(), y.view());
  for (const float v : y.to_vector()) CHECK(std::isnan(v));
  CHECK_THROWS_WITH_AS(backend.conv2d(g, {codes.view(), step.view()}, w.view(), halves.view()),
                       Contains("codes with a step are multiplied as float32 alone, not as BF16"),
                       std::invalid_argument);
}
