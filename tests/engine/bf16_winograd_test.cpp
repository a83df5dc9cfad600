// Winograd's F(2x2,3x3) in bfloat16: near the definition within stated bounds, equal to it where nothing is rounded,
// and the same bits on every instruction set and any number of threads.
#include "engine/backend/cpu/bf16/filters.h"
#include "engine/backend/cpu/bf16/winograd.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/random.h"
#include "tests/support/reference_conv.h"

using namespace ntq;
using namespace ntq::test;

namespace {

ConvGeometry same_size(int64_t batch, int64_t h, int64_t w, int64_t in, int64_t out) {
  return {.batch = batch,
          .in_h = h,
          .in_w = w,
          .in_c = in,
          .out_h = h,
          .out_w = w,
          .out_c = out,
          .kernel_h = 3,
          .kernel_w = 3,
          .stride = 1,
          .pad = 1};
}
/// Blocks of 16 and 32 channels, panels whole and in part; odd heights and widths; one image, one tile; tiles that fill
/// groups badly; many blocks of tiles; parts of a filter gradient (3600).
const std::vector<ConvGeometry>& geometries() {
  static const std::vector<ConvGeometry> list = {
      same_size(1, 2, 2, 16, 16),   same_size(3, 5, 9, 16, 32),  same_size(2, 7, 7, 32, 16),
      same_size(1, 7, 5, 48, 80),   same_size(5, 4, 4, 128, 32), same_size(2, 8, 8, 64, 64),
      same_size(1, 3, 1, 64, 48),   same_size(1, 1, 6, 32, 64),  same_size(3600, 2, 2, 16, 16),
      same_size(1, 31, 31, 16, 16), same_size(1, 40, 3, 96, 16), same_size(6, 6, 6, 160, 32)};
  return list;
}

double uniform(uint32_t stream, int64_t i) {
  return random_unit({.seed = 5, .stream = stream}, static_cast<uint64_t>(i));
}
/// About normal, standard deviation 1.
float bell(uint32_t stream, int64_t i) {
  double sum = 0;
  for (uint32_t k = 0; k < 6; ++k) sum += uniform(stream + 100 * k, i) - 0.5;
  return static_cast<float>(sum * std::sqrt(2.0));
}
int64_t whole(uint32_t stream, int64_t i, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(uniform(stream, i) * static_cast<double>(high - low + 1));
}

/// x as what is convolved and as what the definition is given; the same of dy.
struct Problem {
  ConvGeometry g;
  DType type;
  std::vector<BFloat16> bf16, dy;
  std::vector<uint8_t> u8;
  std::vector<int8_t> i8;
  std::vector<float> x, w, dy_values;

  ConstView input() const {
    const auto n = static_cast<int64_t>(x.size());
    return type == DType::bf16 ? view_of(bf16.data(), n)
           : type == DType::u8 ? view_of(u8.data(), n)
                               : view_of(i8.data(), n);
  }
  ConstView filters() const { return view_of(w.data(), static_cast<int64_t>(w.size())); }
  ConstView gradient() const { return view_of(dy.data(), static_cast<int64_t>(dy.size())); }
};
template <class X, class W, class Dy>
Problem problem(const ConvGeometry& g, DType type, const X& x, const W& w, const Dy& dy) {
  Problem p{.g = g, .type = type, .bf16 = {}, .dy = {}, .u8 = {}, .i8 = {}, .x = {}, .w = {}, .dy_values = {}};
  for (int64_t i = 0; i < g.batch * g.in_h * g.in_w * g.in_c; ++i) {
    const float value = static_cast<float>(x(i));
    p.bf16.push_back(to_bf16(value));
    p.x.push_back(type == DType::bf16 ? from_bf16(p.bf16.back()) : value);
    p.u8.push_back(type == DType::u8 ? static_cast<uint8_t>(value) : uint8_t{0});
    p.i8.push_back(type == DType::i8 ? static_cast<int8_t>(value) : int8_t{0});
  }
  for (int64_t i = 0; i < g.out_c * 9 * g.in_c; ++i) p.w.push_back(static_cast<float>(w(i)));
  for (int64_t i = 0; i < g.batch * g.in_h * g.in_w * g.out_c; ++i) {
    p.dy.push_back(to_bf16(static_cast<float>(dy(i))));
    p.dy_values.push_back(from_bf16(p.dy.back()));
  }
  return p;
}
/// As in training: filters of a variance that keeps that of x, 4-bit codes of what a ReLU has left, signed ones of all.
Problem natural(const ConvGeometry& g, DType type) {
  const auto x = [=](int64_t i) {
    const float value = bell(1, i);
    if (type == DType::u8) return std::min(15.0f, std::nearbyint(std::max(0.0f, value) * 5));
    return type == DType::i8 ? std::nearbyint(std::clamp(value * 3, -8.0f, 7.0f)) : value;
  };
  const float scale = std::sqrt(2.0f / static_cast<float>(9 * g.in_c));
  return problem(
      g, type, x, [=](int64_t i) { return scale * bell(2, i); }, [](int64_t i) { return bell(3, i); });
}

struct Results {
  std::vector<float> y, dx, dw;
};
/// What `threads` threads compute; y and dx in bfloat16 where `out` is that.
template <class Out>
Results computed(const Problem& p, const std::string& isa, int threads) {
  const int before = cpu::threads();
  cpu::set_threads(threads);
  const auto backend = cpu::make_cpu_backend(isa == "avx512bf16" ? "avx512" : isa);
  const bf16::Kernels& k = bf16::kernels_of(isa);
  Results r;
  const auto widened = [](const std::vector<Out>& values) {
    std::vector<float> wide;
    for (const Out v : values) {
      if constexpr (std::is_same_v<Out, float>)
        wide.push_back(v);
      else
        wide.push_back(from_bf16(v));
    }
    return wide;
  };
  std::vector<Out> y(p.dy.size()), dx(p.x.size());
  r.dw.resize(p.w.size(), 77.0f);
  const auto product = [&](ConvPass pass, ConstView in, std::vector<Out>& out) {
    cpu::ConvPlan plan;
    plan.algorithm = cpu::ConvAlgorithm::bf16_winograd, plan.g = p.g;
    std::vector<BFloat16> packed(static_cast<size_t>(bf16::packed_filters(k, plan, pass)));
    bf16::pack_filters(k, plan, pass, static_cast<const float*>(p.filters().data), 1, packed.data());
    bf16::winograd_conv(*backend, k, p.g, pass, in, packed.data(),
                        view_of(out.data(), static_cast<int64_t>(out.size())));
  };
  product(ConvPass::forward, p.input(), y);
  product(ConvPass::grad_input, p.gradient(), dx);
  bf16::winograd_grad_weight(*backend, k, p.g, p.gradient(), p.input(),
                             view_of(r.dw.data(), static_cast<int64_t>(r.dw.size())));
  r.y = widened(y);
  r.dx = widened(dx);
  cpu::set_threads(before);
  return r;
}
const std::string& best_isa() {
  static const std::string best = cpu::available_isas(cpu::IsaList::bf16).back();
  return best;
}

/// Largest error as a share of the largest value, and the relative root of the mean square.
struct Deviation {
  double largest, mean_square;
};
Deviation deviation_of(const std::vector<float>& got, const std::vector<double>& want) {
  double most = 0, top = 0, sum = 0, all = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double d = std::fabs(static_cast<double>(got[i]) - want[i]);
    most = std::max(most, d), top = std::max(top, std::fabs(want[i]));
    sum += d * d, all += want[i] * want[i];
  }
  return {most / top, std::sqrt(sum / all)};
}
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i]) && !(std::isnan(a[i]) && std::isnan(b[i])))
      return false;
  }
  return a.size() == b.size();
}
bool same_bits(const Results& a, const Results& b) {
  return same_bits(a.y, b.y) && same_bits(a.dx, b.dx) && same_bits(a.dw, b.dw);
}
bool equal(const std::vector<float>& got, const std::vector<double>& want) {
  for (size_t i = 0; i < got.size(); ++i) {
    if (static_cast<double>(got[i]) != want[i]) return false;
  }
  return got.size() == want.size();
}

constexpr DType kInputTypes[] = {DType::bf16, DType::u8, DType::i8};

}  // namespace

TEST_CASE("Winograd in bfloat16: errors within the bounds stated, smaller on codes") {
  for (const ConvGeometry& g : geometries()) {
    if (g.batch * g.in_h * g.in_w * g.in_c < 4000) continue;  // too few for a mean
    if (g.in_h < 3) continue;  // nothing but borders, of which the transforms cancel more than is left
    for (const DType type : kInputTypes) {
      const Problem p = natural(g, type);
      const ConvReference want = reference_conv(g, p.x.data(), p.w.data(), p.dy_values.data());
      const Results got = computed<float>(p, best_isa(), 2);
      CAPTURE(g.in_c);
      CAPTURE(g.in_h);
      CAPTURE(dtype_name(type));
      const Deviation y = deviation_of(got.y, want.y), dx = deviation_of(got.dx, want.dx),
                      dw = deviation_of(got.dw, want.dw);
      CHECK(y.mean_square < (type == DType::bf16 ? 4.9e-3 : 3.1e-3));
      CHECK(dx.mean_square < 4.9e-3);
      CHECK(dw.mean_square < (type == DType::bf16 ? 4.9e-3 : 3.4e-3));
      CHECK(std::max({y.largest, dx.largest, dw.largest}) < 7e-3);
    }
  }
}

TEST_CASE("Winograd in bfloat16: whole numbers that all transforms hold give the definition's sums to the bit") {
  for (const ConvGeometry& g : geometries()) {
    for (const DType type : kInputTypes) {
      CAPTURE(dtype_name(type));
      CAPTURE(g.in_c);
      // Codes of 6 bits, signed ones of 7: their transforms are whole numbers of at most 256. Sums stay below 2^24.
      const int64_t low = type == DType::u8 ? 0 : -64, high = 63;
      const Problem p = problem(
          g, type, [=](int64_t i) { return whole(1, i, low, high); },
          [](int64_t i) { return 4 * whole(2, i, -28, 28); }, [](int64_t i) { return whole(3, i, -5, 5); });
      const ConvReference want = reference_conv(g, p.x.data(), p.w.data(), p.dy_values.data());
      for (const std::string& isa : cpu::available_isas(cpu::IsaList::bf16)) {
        CAPTURE(isa);
        const Results got = computed<float>(p, isa, 1);
        CHECK(equal(got.y, want.y));
        CHECK(equal(got.dx, want.dx));
        CHECK(equal(got.dw, want.dw));
      }
    }
  }
}

TEST_CASE("Winograd in bfloat16: the same bits on every instruction set and any number of threads") {
  for (const ConvGeometry& g : geometries()) {
    for (const DType type : kInputTypes) {
      CAPTURE(dtype_name(type));
      CAPTURE(g.in_c);
      const Problem p = natural(g, type);
      const Results once = computed<float>(p, best_isa(), 1);
      for (const int threads : {2, 5}) CHECK(same_bits(computed<float>(p, best_isa(), threads), once));
      for (const std::string& isa : cpu::available_isas(cpu::IsaList::bf16)) {
        CAPTURE(isa);
        CHECK(same_bits(computed<float>(p, isa, 2), once));
      }
      // In bfloat16: the same, rounded.
      const Results rounded = computed<BFloat16>(p, best_isa(), 2);
      for (size_t i = 0; i < once.y.size(); ++i) REQUIRE(rounded.y[i] == from_bf16(to_bf16(once.y[i])));
      for (size_t i = 0; i < once.dx.size(); ++i) REQUIRE(rounded.dx[i] == from_bf16(to_bf16(once.dx[i])));
    }
  }
}

TEST_CASE("Winograd in bfloat16: what the definition says is not finite is not, the same on every instruction set") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const ConvGeometry& g : geometries()) {
    CAPTURE(g.in_c);
    Problem p = natural(g, DType::bf16);
    const auto spoil = [&](std::vector<BFloat16>& bits, std::vector<float>& values, int64_t step) {
      for (size_t i = 5; i < bits.size(); i += static_cast<size_t>(step)) {
        values[i] = i % 3 == 0 ? nan : i % 3 == 1 ? infinity : -infinity;
        bits[i] = to_bf16(values[i]);
      }
    };
    spoil(p.bf16, p.x, 5 * g.in_w * g.in_c + 3);
    spoil(p.dy, p.dy_values, 7 * g.in_w * g.out_c + 1);
    const ConvReference want = reference_conv(g, p.x.data(), p.w.data(), p.dy_values.data());
    const Results best = computed<float>(p, best_isa(), 2);
    const auto visible = [](const std::vector<float>& got, const std::vector<double>& from) {
      for (size_t i = 0; i < got.size(); ++i) {
        if (!std::isfinite(from[i]) && std::isfinite(got[i])) return false;
      }
      return true;
    };
    CHECK(visible(best.y, want.y));
    CHECK(visible(best.dx, want.dx));
    CHECK(visible(best.dw, want.dw));
    for (const std::string& isa : cpu::available_isas(cpu::IsaList::bf16)) {
      CAPTURE(isa);
      CHECK(same_bits(computed<float>(p, isa, 2), best));
    }
  }
}
