// LQ-Nets: "Learned Quantization for Highly Accurate and Compact Deep Neural Networks", Zhang et al., ECCV 2018 (arXiv
// 1807.10029): levels v.e for all codes e, the basis v by least squares in each step of training (QEM), not by
// gradient. Constants as in the authors' code (microsoft/LQ-Nets, learned_quantization.py).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "quant/level_table.h"
#include "quant/method.h"

namespace ntq {
namespace {

using Numbers = std::vector<double>;

/// (a + ridge I) solved for b, a of K x K, by Cholesky's method; empty when a pivot is not clearly positive.
Numbers solved(Numbers a, Numbers b, double ridge) {
  const size_t n = b.size();
  double largest = ridge;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, a[i * n + i] += ridge);
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < j; ++k) a[j * n + j] -= a[j * n + k] * a[j * n + k];
    if (!(a[j * n + j] > 1e-10 * largest)) return {};
    a[j * n + j] = std::sqrt(a[j * n + j]);
    for (size_t i = j + 1; i < n; ++i) {
      for (size_t k = 0; k < j; ++k) a[i * n + j] -= a[i * n + k] * a[j * n + k];
      a[i * n + j] /= a[j * n + j];
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

class LqQuantizer : public Quantizer {
 public:
  explicit LqQuantizer(const QuantSpec& spec)
      : Quantizer(spec),
        basis_(register_buffer("basis", first_basis(spec))),
        updates_(register_buffer("updates", Tensor::zeros({1}, DType::i64))),
        zero_debias_(spec.setting("zero_debias").flag()) {}

  CodeGrid grid() const override {
    const Tensor all = levels();
    return {.range = range(), .levels = tables() == 1 ? all.view({all.numel()}) : all};
  }
  QuantTraits traits() const override { return {.levels = 1 << spec().bits, .zero_on_grid = !spec().is_signed}; }

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

  int64_t tables() const { return basis_.size(0); }
  /// The factor of basis value `bit` in a code: -1 or 1 where signed, else 0 or 1.
  double factor(int code, int bit) const { return (code >> bit & 1) != 0 ? 1 : spec().is_signed ? -1 : 0; }
  /// Codes by the size of their levels, for each table.
  std::vector<int> order(Tensor& levels) const {
    const int bits = spec().bits, count = 1 << bits;
    const std::vector<float> v = basis_.to_vector();
    levels = Tensor::empty({tables(), count});
    std::vector<int> codes;
    Numbers sums(static_cast<size_t>(count));
    for (int64_t t = 0; t < tables(); ++t) {
      for (int code = 0; code < count; ++code) {
        sums[static_cast<size_t>(code)] = 0;
        for (int bit = 0; bit < bits; ++bit)
          sums[static_cast<size_t>(code)] +=
              factor(code, bit) * static_cast<double>(v[static_cast<size_t>(t * bits + bit)]);
      }
      const auto first = static_cast<ptrdiff_t>(codes.size());
      codes.resize(codes.size() + static_cast<size_t>(count));
      std::iota(codes.begin() + first, codes.end(), 0);
      std::stable_sort(codes.begin() + first, codes.end(),
                       [&](int a, int b) { return sums[static_cast<size_t>(a)] < sums[static_cast<size_t>(b)]; });
      for (int i = 0; i < count; ++i)
        levels.f32()[t * count + i] =
            static_cast<float>(sums[static_cast<size_t>(codes[static_cast<size_t>(first + i)])]);
    }
    return codes;
  }
  Tensor levels() const {
    Tensor out;
    order(out);
    return out;
  }

  Tensor quantized(const Tensor& x) override {
    Tensor now;
    const std::vector<int> codes = order(now);
    const LevelTable table(now);
    const Tensor y = table.values(x);
    if (training()) update_basis(x, table, codes);
    if (spec().is_weight)
      return custom_grad(
          {"lq_nets"}, {x}, [&] { return y; }, [](const Tensor& dy) { return std::vector{dy}; });
    const float largest = now.f32()[now.numel() - 1];
    const bool both = spec().is_signed;
    return custom_grad(
        {"lq_nets"}, {x}, [&] { return y; },
        [x = x.detach(), largest, both](const Tensor& dy) {
          const Tensor inside = less_equal(x, largest);
          return std::vector{mul(dy, both ? mul(inside, less_equal(-largest, x)) : inside)};
        });
  }
  Tensor codes(const Tensor& x) const override { return LevelTable(levels()).codes(x, range()); }

  // One iteration of QEM: with the codes B of x, v <- average of v and argmin |x - B v|^2 (+ ridge |v - v_old|^2).
  void update_basis(const Tensor& x, const LevelTable& table, const std::vector<int>& codes) {
    const Tensor host = x.detach().to(Device());
    const int64_t run = x.numel() / tables(), count = table.count();
    const auto bits = static_cast<size_t>(spec().bits);
    const int64_t t = updates_.item<int64_t>() + 1;
    updates_.copy_from(Tensor::from({1}, std::span<const int64_t>(&t, 1)));
    const double share = zero_debias_ ? 0.1 / (1 - std::pow(0.9, static_cast<double>(t))) : 0.1;
    std::vector<float> basis = basis_.to_vector();
    for (int64_t c = 0; c < tables(); ++c) {
      Numbers sizes(static_cast<size_t>(count)), sums(static_cast<size_t>(count));  // of the elements at each level
      for (int64_t i = c * run; i < (c + 1) * run; ++i) {
        const auto level = static_cast<size_t>(table.nearest(c, host.f32()[i]));
        sizes[level] += 1, sums[level] += static_cast<double>(host.f32()[i]);
      }
      Numbers a(bits * bits), b(bits);
      for (size_t level = 0; level < sizes.size(); ++level) {
        const int code = codes[static_cast<size_t>(c * count) + level];
        for (size_t i = 0; i < bits; ++i) {
          const double e = factor(code, static_cast<int>(i));
          b[i] += e * sums[level];
          for (size_t j = 0; j < bits; ++j) a[i * bits + j] += e * factor(code, static_cast<int>(j)) * sizes[level];
        }
      }
      average(&basis[static_cast<size_t>(c) * bits], a, b, share);
    }
    basis_.copy_from(Tensor::from(basis_.shape(), std::span<const float>(basis)));
  }
  void average(float* v, const Numbers& a, const Numbers& b, double share) const {
    constexpr double kRidge = 1e-4;
    Numbers pulled = b, found;
    for (size_t i = 0; i < b.size(); ++i) pulled[i] += kRidge * static_cast<double>(v[i]);
    if (!spec().is_weight) found = solved(a, b, 0);
    if (found.empty()) found = solved(a, pulled, kRidge);  // also of inputs that leave a bit unused or two always equal
    for (size_t i = 0; i < found.size(); ++i) {
      const auto old = static_cast<double>(v[i]);
      v[i] = static_cast<float>(old + share * (found[i] - old));
    }
  }

  Tensor basis_, updates_;
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
