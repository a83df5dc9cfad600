// LQ-Nets: "Learned Quantization for Highly Accurate and Compact Deep Neural Networks", Zhang et al., ECCV 2018 (arXiv
// 1807.10029): levels v.e for all codes e, the basis v by least squares in each step of training (QEM), not by
// gradient. Constants as in the authors' code (microsoft/LQ-Nets, learned_quantization.py).
#include <cmath>
#include <optional>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/look_up.h"
#include "engine/ops/unary.h"
#include "quant/method.h"

namespace ntq {
namespace {

class LqQuantizer : public Quantizer {
 public:
  explicit LqQuantizer(const QuantSpec& spec)
      : Quantizer(spec),
        basis_(register_buffer("basis", first_basis(spec))),
        updates_(register_buffer("updates", Tensor::zeros({1}, DType::i64))),
        zero_debias_(spec.setting("zero_debias").flag()) {}

  CodeGrid grid() const override {
    const Tensor all = levels().levels;
    return {.range = range(), .levels = basis_.size(0) == 1 ? all.view({all.numel()}) : all};
  }
  QuantTraits traits() const override { return {.levels = 1 << spec().bits, .zero_on_grid = !spec().is_signed}; }
  /// Codes, and the basis that they are decoded by.
  double stored_bits(int64_t values) const override {
    return Quantizer::stored_bits(values) + 32.0 * static_cast<double>(basis_.numel());
  }

 private:
  static Tensor first_basis(const QuantSpec& spec) {
    check(!spec.is_weight || spec.shape.rank() >= 1,
          "lq-nets has a basis per output channel, so needs the weight's shape");
    const int64_t channels = spec.is_weight ? spec.shape[0] : 1;
    const int bits = spec.bits, rank = spec.shape.rank();
    double unit = 0.6745 * 2 / ((1 << bits) - 1) / (spec.is_signed ? 2 : 1);
    if (spec.is_weight) {
      const int64_t in = rank > 1 ? spec.shape[rank - 1] : 1;
      const auto n = static_cast<double>(spec.shape.numel() / in);  // kernel area times output channels
      unit = 0.6745 * std::sqrt(2 / n) / (1 << (bits - 1));
    }
    const Tensor basis = Tensor::empty({channels, bits});
    for (int64_t i = 0; i < basis.numel(); ++i)
      basis.f32()[i] = static_cast<float>(std::ldexp(unit, static_cast<int>(i % bits)));
    return basis;
  }

  BasisArgs basis_args() const { return {.bits = spec().bits, .both_signs = spec().is_signed}; }
  BasisLevels levels() const { return basis_levels(basis_, basis_args()); }

  Tensor quantized(const Tensor& x) override {
    const BasisLevels now = levels();
    Tensor y;
    if (training()) {
      LookedUp found = look_up_with_sums(x, now.midpoints, now.levels);
      y = std::move(found.values);
      update_basis(now.codes, found.sums);
    } else {
      y = look_up(x, now.midpoints, now.levels);
    }
    if (spec().is_weight)
      return custom_grad(
          {"lq_nets"}, {x}, [&] { return y; }, [](const Tensor& dy) { return std::vector{dy}; });
    const Tensor largest = now.levels.view({now.levels.numel()}).rows(now.levels.numel() - 1, now.levels.numel());
    return custom_grad(
        {"lq_nets"}, {x}, [&] { return y; },
        [x = x.detach(), largest, both = spec().is_signed](const Tensor& dy) {
          const Tensor passes = Tensor::from({2}, {1, 0}, x.device());
          const Tensor dx = look_up_slopes(x, largest, passes, dy);
          return std::vector{both ? mul(dx, less_equal(neg(largest), x)) : dx};
        });
  }
  Tensor codes(const Tensor& x) const override { return look_up_places(x, levels().midpoints, range()); }

  // One iteration of QEM: with the codes B of x, v <- average of v and argmin |x - B v|^2 (+ ridge |v - v_old|^2).
  // Inputs that leave a bit unused, or two always equal, need the ridge too. A step of training counts once: a forward
  // pass that is computed again for the gradient, from the buffers as they were, does again what the first did.
  void update_basis(const Tensor& codes, const Tensor& sums) {
    if (!seen_) seen_ = updates_.item<int64_t>();
    if (counted_at_ != training_step()) ++*seen_, counted_at_ = training_step();
    const int64_t t = *seen_;
    updates_.copy_from(Tensor::from({1}, std::span<const int64_t>(&t, 1)));
    const double share = zero_debias_ ? 0.1 / (1 - std::pow(0.9, static_cast<double>(t))) : 0.1;
    basis_fit(codes, sums, {.basis = basis_args(), .share = share, .ridge = 1e-4, .always = spec().is_weight}, basis_);
  }
  void state_loaded() override {
    Quantizer::state_loaded();
    seen_.reset(), counted_at_.reset();
  }

  Tensor basis_, updates_;
  std::optional<int64_t> seen_, counted_at_;  // the value of updates_, and the step that it last grew in
  bool zero_debias_;
};

}  // namespace

QuantMethod lq_nets_method() {
  return {
      .name = "lq-nets",
      .help =
          "levels v.e, the basis v by least squares, per output channel of weights (Zhang et al. 2018, arXiv "
          "1807.10029); signed inputs, which the paper leaves in full precision, have weights' codes",
      .settings = {{.name = "zero_debias",
                    .standard = true,
                    .help = "the moving average forgets the first basis (the authors' code); false: plain 0.9 / 0.1"}},
      .make = [](const QuantSpec& spec) { return std::make_shared<LqQuantizer>(spec); }};
}

}  // namespace ntq
