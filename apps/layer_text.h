#pragma once
// A layer report for people and programs.
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include "train/layer_report.h"

namespace ntq::apps {

std::string layer_table(const std::vector<LayerReport>& layers);
/// Of the quantizers of residual sums; "" without any.
std::string skip_table(const std::vector<SkipReport>& skips);
nlohmann::ordered_json skips_to_json(const std::vector<SkipReport>& skips);
nlohmann::ordered_json layers_to_json(const std::vector<LayerReport>& layers);
/// What a reader of an export needs to compute as the network does: of each quantized layer, for "weight" and "input",
/// bits, signed, low and high code, step, method; value = code * step, code = round(clip(x / step, low, high)).
nlohmann::ordered_json quantization_json(Module& model);
/// "first 8/8 bits, 18 layers 4/4 bits (ntq), last 8/8 bits": bits of weights/inputs, neighbours of equal bits
/// together.
std::string bits_summary(const std::vector<LayerReport>& layers);

}  // namespace ntq::apps
