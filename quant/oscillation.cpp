#include "quant/oscillation.h"

#include <cmath>
#include <numbers>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "quant/rows.h"

namespace ntq {
namespace {

// The source freezes nothing above: codes that many hardly matter.
constexpr int kMostFrozenBits = 4;

/// A grid as it lies along a weight: its values have no gradient.
struct Even {
  Tensor step, offset;  // the second may be undefined: 0
  QuantRange range;

  Even(const CodeGrid& grid, const Tensor& w) : step(beside_rows(grid.step, w)), range(grid.range) {
    if (grid.offset) offset = beside_rows(grid.offset, w);
  }
  Tensor values(const Tensor& codes) const {
    const Tensor from_zero = mul(codes, step);
    return offset ? add(from_zero, offset) : from_zero;
  }
  Tensor value(float code) const { return offset ? add(scale(step, code), offset) : scale(step, code); }
  Tensor codes(const Tensor& w) const {
    return round(clamp(div(offset ? sub(w, offset) : w, step), range.low, range.high));
  }
};

/// "freeze" of a weight that it is for.
double freeze_of(const QuantSpec& spec) { return spec.bits <= kMostFrozenBits ? spec.setting("freeze").number() : 0; }

}  // namespace

bool Oscillation::is_wanted(const QuantSpec& spec) {
  if (!spec.is_weight || !spec.settings.contains("dampen") || !spec.settings.contains("freeze")) return false;
  return spec.setting("dampen").number() > 0 || freeze_of(spec) > 0;
}

Oscillation::Oscillation(const QuantSpec& spec, const RegisterBuffer& register_buffer)
    : dampen_(spec.setting("dampen").number()),
      freeze_(freeze_of(spec)),
      freeze_from_(spec.setting("freeze_from").number()),
      start_(spec.setting("osc_start").number()),
      momentum_(spec.setting("osc_momentum").f32()) {
  if (freeze_ == 0) return;
  check(freeze_ <= freeze_from_, "freeze, the last threshold, must be at most freeze_from, the first one, ",
        freeze_from_, "; found ", freeze_);
  check(spec.shape.rank() >= 1, "freezing needs the shape of the weight");
  const auto zeros = [&](const char* name) { return register_buffer(name, Tensor::zeros(spec.shape)); };
  code_ = zeros("osc_code"), direction_ = zeros("osc_direction"), frequency_ = zeros("osc_frequency");
  mean_ = zeros("osc_mean"), frozen_ = zeros("osc_frozen"), held_ = zeros("osc_held");
  started_ = register_buffer("osc_started", Tensor::zeros({1}, DType::i64));
}

double Oscillation::share(double fraction) const {
  if (fraction < start_) return 0;
  return (1 - std::cos(std::numbers::pi * (fraction - start_) / std::max(1 - start_, 1e-9))) / 2;
}

double Oscillation::dampening(double fraction) const { return dampen_ * share(fraction); }

double Oscillation::threshold(double fraction) const {
  return fraction < start_ || freeze_ == 0 ? 0 : freeze_from_ + (freeze_ - freeze_from_) * share(fraction);
}

Tensor Oscillation::held(const Tensor& w, const CodeGrid& grid) const {
  if (!frozen_ || w.shape() != frozen_.shape()) return w;
  return where(frozen_, Even(grid, w).values(held_), w);
}

void Oscillation::look(const Tensor& w, const CodeGrid& grid, double fraction, int64_t training_step) {
  penalty_ = {};
  const double lambda = dampening(fraction);
  if (freeze_ == 0 && lambda == 0) return;
  const Even even(grid, w);
  const Tensor codes = even.codes(w.detach());
  if (freeze_ > 0 && training_step != looked_at_) {
    const NoGrad no_grad;
    take_down(codes, threshold(fraction));
    looked_at_ = training_step;
  }
  if (lambda > 0) {
    const Tensor inside = min(max(w, even.value(grid.range.low)), even.value(grid.range.high));
    const double per_channel = static_cast<double>(w.shape()[0]) / static_cast<double>(w.numel());
    penalty_ = scale(sum(square(sub(even.values(codes), inside))), static_cast<float>(lambda * per_channel));
  }
}

/// As follow_turns() does, wherever the weights are.
void Oscillation::follow(const Tensor& codes) {
  const Tensor towards = sign(sub(codes, code_));  // 0: no change
  const Tensor turned = less(mul(towards, direction_), 0);
  frequency_.copy_from(add(scale(frequency_, 1 - momentum_), scale(turned, momentum_)));
  direction_.copy_from(where(towards, towards, direction_));
  code_.copy_from(where(towards, codes, code_));
}

void Oscillation::take_down(const Tensor& codes, double threshold) {
  if (!has_started_) has_started_ = started_.item<int64_t>() != 0;  // once, as a device is waited for
  if (!*has_started_) {
    code_.copy_from(codes), mean_.copy_from(codes);
    const int64_t yes = 1;
    started_.copy_from(Tensor::from({1}, std::span<const int64_t>(&yes, 1)));
    has_started_ = true;
    return;
  }
  check(codes.shape() == code_.shape(), "oscillation: expected a weight of ", code_.shape(), ", found ", codes.shape());
  follow(codes);
  mean_.copy_from(add(scale(codes, momentum_), scale(mean_, 1 - momentum_)));
  if (threshold == 0) return;
  held_.copy_from(where(frozen_, held_, round(mean_)));
  frozen_.copy_from(max(frozen_, less(static_cast<float>(threshold), frequency_)));
}

std::vector<Setting> oscillation_settings() {
  const Interval share{.low = 0, .high = 1};
  const auto of_weights = [&](const char* name, double standard, const char* help, const IdleReason& idle) {
    return Setting{
        .name = name, .standard = standard, .within = share, .side = Side::weights, .help = help, .idle = idle};
  };
  const auto too_wide = [](const QuantSpec& spec) {
    return spec.bits > kMostFrozenBits ? concat("on weights of more than ", kMostFrozenBits, " bits") : "";
  };
  const auto no_freezing = [too_wide](const QuantSpec& spec) {
    return spec.setting("freeze").number() == 0 ? "with freeze 0" : too_wide(spec);
  };
  const auto nothing = [](const QuantSpec& spec) {
    return spec.setting("dampen").number() == 0 && freeze_of(spec) == 0 ? "without dampening or freezing" : "";
  };
  Setting start =
      of_weights("osc_start", 0.25, "share of the run before dampening and freezing begin, then by a cosine", nothing);
  start.within.open_high = true;  // at 1 they never would
  return {
      {.name = "dampen",
       .standard = 0.0,
       .within = {.low = 0, .high = 1e6},
       .side = Side::weights,
       .help = "last lambda of oscillation dampening (arXiv 2203.11086, Eq. 5; 0.1 in its code); 0: none"},
      of_weights("freeze", 0,
                 "last threshold of the oscillation frequency above which weights of at most 4 bits "
                 "are frozen (0.01 in its code); 0: none",
                 too_wide),
      of_weights("freeze_from", 0.1, "first threshold", no_freezing),
      std::move(start),
      of_weights("osc_momentum", 0.01, "of the frequencies and of the mean codes (its command: 0.001)", no_freezing)};
}

std::vector<Setting> with_oscillation_settings(std::vector<Setting> own) {
  for (Setting& setting : oscillation_settings()) own.push_back(std::move(setting));
  return own;
}

}  // namespace ntq
