#include "quant/first_input.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/binary.h"

namespace ntq {
namespace {

void gather(const std::string& name, const Tensor& x, InputStatistics& seen) {
  for (const float value : x.detach().to_vector()) {
    if (!std::isfinite(value))
      throw DivergedError(
          concat(name, ": the first input, ", x.shape(),
                 ", is not finite, so no range can be taken from it; check the data and the learning rate"));
    const auto v = static_cast<double>(value);
    seen.least = seen.count == 0 ? v : std::min(seen.least, v);
    seen.most = seen.count == 0 ? v : std::max(seen.most, v);
    seen.count += 1, seen.sum += v, seen.sum_abs += std::abs(v), seen.sum_squares += v * v;
  }
}

}  // namespace

double InputStatistics::deviation() const {
  return std::sqrt(std::max(sum_squares - sum * sum / count, 0.0) / std::max(count - 1, 1.0));
}

double InputStatistics::largest() const { return std::max(std::abs(least), std::abs(most)); }

bool FirstInputQuantizer::ready() const { return ready_ = ready_ || marker_.item() != 0.0f; }

void FirstInputQuantizer::start_pass(int) {
  calibrating_ = true;
  seen_ = {};
}

void FirstInputQuantizer::end_pass(int) { calibrating_ = false; }

void FirstInputQuantizer::prepare(const Tensor& x) {
  if (!calibrating_ && ready()) return;
  if (!calibrating_) seen_ = {};
  gather(spec().name, x, seen_);
  set_first_values(seen_);
  ready_ = true;
}

void FirstInputQuantizer::state_loaded() {
  Quantizer::state_loaded();
  ready_ = false;
}

Tensor with_bad_values_of(const Tensor& x, const Tensor& y) { return add(y, sub(x.detach(), x.detach())); }

}  // namespace ntq
