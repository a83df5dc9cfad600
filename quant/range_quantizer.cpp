#include "quant/range_quantizer.h"

#include "engine/ops/binary.h"
#include "engine/ops/quantize.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/rows.h"

namespace ntq {
namespace {

// An all-zero first input has no range of its own.
constexpr float kLeastRange = 1e-8f;

int64_t range_count(const QuantSpec& spec) { return spec.per_channel ? spec.shape[0] : 1; }

}  // namespace

RangeQuantizer::RangeQuantizer(const QuantSpec& spec, const RangeOptions& options)
    : Quantizer(spec),
      options_(options),
      low_(register_buffer("low", Tensor::zeros({range_count(spec)}))),
      high_(register_buffer("high", Tensor::zeros({range_count(spec)}))) {
  check(!(spec.per_channel && options.asymmetric), "a range per channel is symmetric; leave one of the two out");
}

QuantRange RangeQuantizer::range() const {
  const auto levels = static_cast<float>(1 << spec().bits);
  return two_sided() ? QuantRange{1 - levels / 2, levels / 2 - 1} : QuantRange{0, levels - 1};
}

QuantTraits RangeQuantizer::traits() const {
  const auto [low, high] = range();
  return {.levels = static_cast<int>(high - low) + 1, .symmetric = two_sided()};
}

CodeGrid RangeQuantizer::grid() const {
  const NoGrad no_grad;
  CodeGrid out{.range = range()};
  out.step = div(two_sided() ? high_ : sub(high_, low_), out.range.high);
  if (options_.asymmetric) out.offset = mul(round(div(low_, out.step)), out.step);  // 0 is on the grid
  return out;
}

bool RangeQuantizer::ready() const {
  if (ready_) return true;
  for (const float high : high_.to_vector()) {
    if (high == 0.0f) return false;
  }
  return ready_ = true;
}

void RangeQuantizer::state_loaded() {
  Quantizer::state_loaded();
  ready_ = false;
}

void RangeQuantizer::start_pass(int) {
  calibrating_ = true;
  seen_ = 0;
}

void RangeQuantizer::end_pass(int) { calibrating_ = false; }

RangeQuantizer::Ends RangeQuantizer::ends_of(const Tensor& x) const {
  if (low_.numel() == 1) return {min(x), max(x)};
  const Tensor rows = x.view({low_.numel(), x.numel() / low_.numel()});
  return {min(rows, Axis{1}).view(low_.shape()), max(rows, Axis{1}).view(low_.shape())};
}

RangeQuantizer::Ends RangeQuantizer::joined(const Ends& so_far, const Ends& more, float) const {
  return {min(so_far.first, more.first), max(so_far.second, more.second)};
}

void RangeQuantizer::set(const Ends& ends) {
  const Tensor high = two_sided() ? max(ends.second, neg(ends.first)) : ends.second;
  high_.copy_from(max(high, kLeastRange));
  if (two_sided()) low_.copy_from(neg(high_));
  if (options_.asymmetric) low_.copy_from(min(ends.first, 0.0f));
}

// Nothing is read back in training.
void RangeQuantizer::observe(const Tensor& input) {
  const NoGrad no_grad;
  const Tensor x = input.detach();
  if (calibrating_ || !ready()) {
    if (!all_finite(x)) first_input_not_finite(x);
    const auto n = static_cast<double>(x.numel());
    const bool more = calibrating_ && seen_ > 0;
    seen_ += n;
    set(more ? joined({low_, high_}, ends_of(x), static_cast<float>(n / seen_)) : ends_of(x));
    ready_ = true;
  } else if (training() && options_.follow != Follow::frozen) {
    const auto [low, high] = ends_of(x);
    const auto towards = [&](const Tensor& from, const Tensor& to) {
      return add(from, mul(sub(to, from), options_.rate));
    };
    if (options_.follow == Follow::current) set({low, high});
    if (options_.follow == Follow::widest) set({min(low_, low), max(high_, high)});
    if (options_.follow == Follow::average) {
      const Tensor end = two_sided() ? max(high, neg(low)) : high;
      set({towards(low_, two_sided() ? neg(end) : low), towards(high_, end)});
    }
  }
}

Tensor RangeQuantizer::quantized(const Tensor& input) {
  observe(input);
  const Tensor x = steadied(input);
  const CodeGrid grid = this->grid();
  const auto values = [&] {
    if (!grid.offset) return quantize(x, grid.step, {.range = grid.range});
    return add(quantize(sub(x, grid.offset), grid.step, {.range = grid.range}), grid.offset);
  };
  const auto through = [x = x.detach(), low = low_.clone(), high = high_.clone()](const Tensor& dy) {
    const Tensor inside = mul(less_equal(beside_rows(low, x), x), less_equal(x, beside_rows(high, x)));
    return std::vector{mul(dy, inside)};
  };
  return custom_grad({"quantize_in_range"}, {x}, values, through);
}

Tensor RangeQuantizer::codes(const Tensor& x) const {
  const CodeGrid grid = this->grid();
  return quantize_codes(grid.offset ? sub(x, grid.offset) : x, grid.step, grid.range);
}

}  // namespace ntq
