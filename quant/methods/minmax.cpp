// Min-max: the plain baseline of every tool, "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference", Jacob et al., CVPR 2018 (arXiv 1712.05877), section 3.
#include "quant/oscillation.h"
#include "quant/range_quantizer.h"

namespace ntq {
namespace {

std::shared_ptr<Quantizer> make_minmax(const QuantSpec& spec) {
  RangeOptions options{.asymmetric = spec.setting("asymmetric").flag()};
  if (spec.is_weight) {
    if (spec.setting("weight_range").word() == "current") options.follow = Follow::current;
  } else {
    const std::string& range = spec.setting("act_range").word();
    options.rate = spec.setting("average_rate").f32();
    if (range != "frozen") options.follow = range == "average" ? Follow::average : Follow::widest;
  }
  return std::make_shared<RangeQuantizer>(spec, options);
}

}  // namespace

QuantMethod minmax_method() {
  return {.name = "minmax",
          .help =
              "range from smallest to largest value (Jacob et al. 2018, arXiv 1712.05877, section 3); signed inputs "
              "as weights",
          .settings = with_oscillation_settings(
              {{.name = "asymmetric",
                .standard = false,
                .help = "from low to high with an offset, else as far below 0 as above it"},
               {.name = "weight_range",
                .standard = "current",
                .words = {"current", "frozen"},
                .side = Side::weights,
                .help = "range of the weights as they are, or as they were at first"},
               {.name = "act_range",
                .standard = "average",
                .words = {"average", "widest", "frozen"},
                .side = Side::inputs,
                .help = "in training: moving average of the batches' ranges (section 3.1), the widest of all, "
                        "or the first ones"},
               {.name = "average_rate",
                .standard = 0.01,
                .within = {.low = 0, .high = 1, .open_low = true},
                .side = Side::inputs,
                .help = "by how much a batch moves the average",
                .idle = idle_without("act_range", "average")}}),
          .scope = {.per_channel = true},
          .make = make_minmax};
}

}  // namespace ntq
