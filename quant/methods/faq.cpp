// FAQ: "Discovering Low-Precision Networks Close to Full-Precision Networks for Efficient Embedded Inference",
// McKinstry et al. 2018 (arXiv 1809.04191): a recipe on a fixed uniform quantizer. Percentiles and the form of the
// quantizer are a reading of it, so results are FAQ-style.
#include <algorithm>
#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/unary.h"
#include "quant/oscillation.h"
#include "quant/range_quantizer.h"

namespace ntq {
namespace {

/// As numpy.percentile: linear between the two nearest. Changes the order of `values`.
float percentile_of(std::vector<float>& values, double percent) {
  const double at = percent / 100 * static_cast<double>(values.size() - 1);
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(at);
  std::nth_element(values.begin(), place, values.end());
  if (place + 1 == values.end()) return *place;
  const float next = *std::min_element(place + 1, values.end());
  return *place + static_cast<float>(at - std::floor(at)) * (next - *place);
}

/// Activations up to a percentile of the first batches, of |x| where it is signed.
class PercentileQuantizer : public RangeQuantizer {
 public:
  explicit PercentileQuantizer(const QuantSpec& spec)
      : RangeQuantizer(spec, {}), percent_(spec.setting(spec.bits < 8 ? "percentile" : "percentile_8bit").number()) {}
  std::string left_out(const TrainingPlan&) const override {
    return percent_ < 100 ? "" : "with a percentile of 100 its ranges are those of minmax";
  }

 private:
  Ends ends_of(const Tensor& x) const override {
    std::vector<float> values = abs(x).to_vector();
    float end = percentile_of(values, percent_);
    if (end == 0) end = *std::max_element(values.begin(), values.end());  // nearly all are zero
    return {Tensor::zeros({1}, DType::f32, x.device()), Tensor::full({1}, end, x.device())};
  }
  /// The mean of the batches' percentiles, by their sizes.
  Ends joined(const Ends& so_far, const Ends& more, float weight) const override {
    return {so_far.first, add(so_far.second, mul(sub(more.second, so_far.second), weight))};
  }

  double percent_;
};

/// By their largest: nothing of the percentiles.
class MaxWeights : public RangeQuantizer {
 public:
  using RangeQuantizer::RangeQuantizer;
  std::string left_out(const TrainingPlan&) const override {
    return "its percentiles are of activations, which it does not quantize here";
  }
};

std::shared_ptr<Quantizer> make_faq(const QuantSpec& spec) {
  if (!spec.is_weight) return std::make_shared<PercentileQuantizer>(spec);
  const bool frozen = spec.setting("weight_range").word() == "frozen";
  return std::make_shared<MaxWeights>(spec, RangeOptions{.follow = frozen ? Follow::frozen : Follow::current});
}

}  // namespace

QuantMethod faq_method() {
  const Interval percent{.low = 0, .high = 100, .open_low = true};
  return {.name = "faq",
          .help =
              "fixed ranges: max|w|, and a percentile of the first activations (McKinstry et al. 2018, arXiv "
              "1809.04191); signed inputs: of |x|, on both sides",
          .settings = with_oscillation_settings(
              {{.name = "percentile",
                .standard = 99.9,
                .within = percent,
                .side = Side::inputs,
                .help = "of the activations that are not clipped, below 8 bits",
                .idle = [](const QuantSpec& spec) { return spec.bits < 8 ? "" : "at 8 bits"; }},
               {.name = "percentile_8bit",
                .standard = 99.99,
                .within = percent,
                .side = Side::inputs,
                .help = "the same at 8 bits",
                .idle = [](const QuantSpec& spec) { return spec.bits < 8 ? "below 8 bits" : ""; }},
               {.name = "weight_range",
                .standard = "current",
                .words = {"current", "frozen"},
                .side = Side::weights,
                .help = "max|w| of the weights as they are, or as they were at first"}}),
          .scope = {.per_channel = true},
          .make = make_faq};
}

}  // namespace ntq
