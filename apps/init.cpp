#include "apps/init.h"

#include "apps/check_values.h"
#include "apps/checkpoint.h"

namespace ntq::apps {
namespace {

bool same_quantization(const TrainConfig& a, const TrainConfig& b) {
  return a.method == b.method && a.weight_bits == b.weight_bits && a.act_bits == b.act_bits &&
         a.first_last_bits == b.first_last_bits;
}

}  // namespace

LoadReport init_from(Session& s, const std::string& path) {
  const TensorFile file = load_tensors(path);
  LoadOptions options{.path = path, .model = s.config.model};
  std::vector<std::string> notices;
  Weights weights;
  if (is_ntq_checkpoint(file)) {
    const Checkpoint checkpoint = read_checkpoint(file, path);
    check_values(checkpoint.model, path);
    weights.tensors.insert(checkpoint.model.begin(), checkpoint.model.end());
    for (const auto& info : checkpoint.file.skipped) weights.skipped[info.name] = info;
    options.keep_steps = same_quantization(checkpoint.info.config, s.config);
    if (checkpoint.info.config.quantized() && !options.keep_steps) {
      notices.push_back("the file has other bits or another method: all steps start anew");
    }
  } else {
    weights = read_public_weights(file, path);
  }
  LoadReport report = load_weights(*s.model, std::move(weights), options);
  report.notices.insert(report.notices.begin(), notices.begin(), notices.end());
  if (s.ema) s.ema = std::make_unique<WeightAverage>(*s.model, static_cast<float>(s.config.model_ema));
  return report;
}

}  // namespace ntq::apps
