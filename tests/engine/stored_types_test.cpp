// Batch norm with a quantizer behind it, of tensors stored as bfloat16: what float32 gives for the same values, rounded
// once at the end, as no value of the norm is stored in between.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "base/isa.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "tests/support/numeric_grad.h"

using namespace ntq;
using namespace ntq::test;

namespace {

Tensor narrow(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), DType::bf16);
  for (int64_t i = 0; i < x.numel(); ++i) y.data<BFloat16>()[i] = to_bf16(x.f32()[i]);
  return y;
}
Tensor widen(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape());
  for (int64_t i = 0; i < x.numel(); ++i) y.f32()[i] = from_bf16(x.data<BFloat16>()[i]);
  return y;
}
bool same_bits(const Tensor& a, const Tensor& b) { return std::memcmp(a.raw(), b.raw(), a.bytes()) == 0; }

/// Calls op(backend, type of tensors, T) once for each type, where T(values) are these values as that type has them,
/// and compares the outputs, of which `stored` are tensors of the type and the others float32 or codes.
struct Both {
  std::unique_ptr<cpu::CpuBackend> backend;
  std::vector<Tensor> stored, others;
};

template <class Op>
void compare(const Op& op) {
  for (const std::string& isa : cpu::available_isas()) {
    CAPTURE(isa);
    Both wide{cpu::make_cpu_backend(isa), {}, {}}, half{cpu::make_cpu_backend(isa), {}, {}};
    op(wide, DType::f32, [](const Tensor& bf16) { return widen(bf16); });
    op(half, DType::bf16, [](const Tensor& bf16) { return bf16; });
    for (size_t i = 0; i < wide.stored.size(); ++i) CHECK(same_bits(narrow(wide.stored[i]), half.stored[i]));
    for (size_t i = 0; i < wide.others.size(); ++i) CHECK(same_bits(wide.others[i], half.others[i]));
  }
}

}  // namespace

TEST_CASE("batch norm that keeps codes of bfloat16 is that of float32, rounded") {
  for (const int64_t channels : {5, 16, 33}) {
    CAPTURE(channels);
    const int64_t rows = 700, n = rows * channels;
    const Tensor x = narrow(some_values({n}, 1)), dy = narrow(some_values({n}, 2)),
                 residual = narrow(some_values({n}, 3));
    const Tensor gamma = some_values({channels}, 4), beta = some_values({channels}, 5);
    const Tensor step = Tensor::from({1}, {0.07f});
    const QuantizeArgs quantizer{.range = {0, 15}, .grad_scale = 0.5f};
    compare([&](Both& out, DType type, const auto& as_type) {
      Backend& b = *out.backend;
      const Tensor xs = as_type(x), dys = as_type(dy), rs = as_type(residual);
      const auto stored = [&] { return out.stored.emplace_back(Tensor::empty({n}, type)); };
      const auto other = [&](int64_t size, DType t) { return out.others.emplace_back(Tensor::empty({size}, t)); };
      const auto channel = [&] { return other(channels, DType::f32); };
      const Tensor mean = channel(), inv_std = channel(), run_mean = gamma.clone(), run_var = gamma.clone();
      b.batch_norm_stats(xs.view(), {mean.view(), inv_std.view(), run_mean.view(), run_var.view()});
      NormArgs args{xs.view(), mean.view(), inv_std.view(), gamma.view(), beta.view(), rs.view()};
      args.relu = true;
      b.batch_norm_codes(args, quantizer.range, step.view(), other(n, DType::u8).view(), other(1, DType::f32).view());
      args.dy = dys.view();
      b.batch_norm_codes_grad(args, quantizer, step.view(),
                              {stored().view(), channel().view(), channel().view(), stored().view()},
                              other(1, DType::f32).view());
    });
  }
}

TEST_CASE("gradients of codes beside their values, of bfloat16, are those of float32, rounded") {
  const auto coarse = [](Tensor values) {  // sums of two are exact in bfloat16
    for (int64_t i = 0; i < values.numel(); ++i) values.f32()[i] = std::round(8 * values.f32()[i]) / 8;
    return narrow(values);
  };
  for (const int64_t channels : {5, 16, 33}) {
    CAPTURE(channels);
    const int64_t n = 700 * channels;
    const Tensor x = narrow(some_values({n}, 1)), y = narrow(some_values({n}, 2)), dy = coarse(some_values({n}, 3)),
                 of_codes = coarse(some_values({n}, 4));
    const Tensor of_channels = some_values({channels}, 5), step = Tensor::from({1}, {0.07f});
    compare([&](Both& out, DType type, const auto& as_type) {
      const Tensor xs = as_type(x), ys = as_type(y), dys = as_type(dy), codes = as_type(of_codes);
      const auto stored = [&] { return out.stored.emplace_back(Tensor::empty({n}, type)).view(); };
      const auto other = [&](int64_t size) { return out.others.emplace_back(Tensor::empty({size})).view(); };
      NormArgs args{xs.view(), of_channels.view(), of_channels.view(), of_channels.view()};
      args.relu = true, args.y = ys.view(), args.dy = dys.view(), args.dy_codes = codes.view();
      for (const bool residual : {false, true}) {
        out.backend->batch_norm_codes_grad(args, {.range = {0, 15}}, step.view(),
                                           {stored(), other(channels), other(channels), residual ? stored() : View()},
                                           other(1));
      }
    });
  }
}
