#include "quant/oscillation.h"

#include <cmath>
#include <numbers>

#include "engine/autograd.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"
#include "quant/turns.h"

namespace ntq {
namespace {

// The source freezes nothing above: codes that many hardly matter.
constexpr int kMostFrozenBits = 4;

/// Steps per channel as they lie along the weight's first axis.
Tensor along(const Tensor& step, const Tensor& w) {
  if (step.numel() == 1) return step.detach();
  const auto rows = w.shape()[0];
  return reshape(step.detach(), w.shape().rank() == 4 ? Shape{rows, 1, 1, 1} : Shape{rows, 1});
}

}  // namespace

Oscillation::Oscillation(const QuantSpec& spec, const RegisterBuffer& register_buffer) {
  if (!spec.is_weight) return;
  dampen_ = spec.setting("dampen").number();
  start_ = spec.setting("osc_start").number();
  momentum_ = spec.setting("osc_momentum").f32();
  freeze_from_ = spec.setting("freeze_from").number();
  if (spec.bits <= kMostFrozenBits) freeze_ = spec.setting("freeze").number();
  if (freeze_ == 0) return;
  check(spec.shape.rank() >= 1, "freezing needs the shape of the weight");
  const auto zeros = [&](const char* name) { return register_buffer(name, Tensor::zeros(spec.shape)); };
  code_ = zeros("osc_code"), direction_ = zeros("osc_direction"), frequency_ = zeros("osc_frequency");
  mean_ = zeros("osc_mean"), frozen_ = zeros("osc_frozen"), held_ = zeros("osc_held");
  started_ = register_buffer("osc_started", Tensor::zeros({1}, DType::i64));
}

double Oscillation::share() const {
  if (fraction_ < start_) return 0;
  return (1 - std::cos(std::numbers::pi * (fraction_ - start_) / std::max(1 - start_, 1e-9))) / 2;
}

double Oscillation::dampening() const { return dampen_ * share(); }

double Oscillation::threshold() const {
  return fraction_ < start_ || freeze_ == 0 ? 0 : freeze_from_ + (freeze_ - freeze_from_) * share();
}

Tensor Oscillation::held(const Tensor& w, const Tensor& step) const {
  if (!frozen_ || w.shape() != frozen_.shape()) return w;
  return where(frozen_, mul(held_, along(step, w)), w);
}

void Oscillation::look(const Tensor& w, const Tensor& step, QuantRange range, int64_t training_step) {
  penalty_ = {};
  const Tensor s = along(step, w);
  Tensor codes;
  if (freeze_ > 0 || dampening() > 0) {
    const NoGrad no_grad;
    codes = round(clamp(div(w.detach(), s), range.low, range.high));
  }
  if (freeze_ > 0 && training_step != looked_at_) {
    const NoGrad no_grad;
    take_down(codes);
    looked_at_ = training_step;
  }
  if (dampening() > 0) {
    const Tensor inside = min(max(w, scale(s, range.low)), scale(s, range.high));
    const double per_channel = static_cast<double>(w.shape()[0]) / static_cast<double>(w.numel());
    penalty_ = scale(sum(square(sub(mul(codes, s), inside))), static_cast<float>(dampening() * per_channel));
  }
}

void Oscillation::take_down(const Tensor& codes) {
  if (*started_.data<int64_t>() == 0) {
    code_.copy_from(codes), mean_.copy_from(codes);
    *started_.data<int64_t>() = 1;
    return;
  }
  check(codes.shape() == code_.shape(), "oscillation: expected a weight of ", code_.shape(), ", found ", codes.shape());
  const auto values = [](const Tensor& t) { return std::span<float>(t.f32(), static_cast<size_t>(t.numel())); };
  follow_turns<float, float>(values(codes), values(code_), values(direction_), values(frequency_), momentum_);
  mean_.copy_from(add(scale(codes, momentum_), scale(mean_, 1 - momentum_)));
  if (threshold() == 0) return;
  held_.copy_from(where(frozen_, held_, round(mean_)));
  frozen_.copy_from(max(frozen_, less(static_cast<float>(threshold()), frequency_)));
}

std::vector<Setting> oscillation_settings() {
  const Interval share{.low = 0, .high = 1};
  const auto of_weights = [&](const char* name, double standard, const char* help) {
    return Setting{.name = name, .standard = standard, .within = share, .side = Side::weights, .help = help};
  };
  return {{.name = "dampen",
           .standard = 0.0,
           .within = {.low = 0, .high = 1e6},
           .side = Side::weights,
           .help = "last lambda of oscillation dampening (arXiv 2203.11086, Eq. 5; 0.1 in its code); 0: none"},
          of_weights("freeze", 0,
                     "last threshold of the oscillation frequency above which weights of at most 4 bits "
                     "are frozen (0.01 in its code); 0: none"),
          of_weights("freeze_from", 0.1, "first threshold"),
          of_weights("osc_start", 0.25, "share of the run before dampening and freezing begin, then by a cosine"),
          of_weights("osc_momentum", 0.01, "of the frequencies and of the mean codes (its command: 0.001)")};
}

}  // namespace ntq
