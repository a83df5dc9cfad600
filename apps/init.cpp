#include "apps/init.h"

#include "apps/checkpoint.h"
#include "apps/config_quant.h"
#include "apps/text.h"
#include "base/text.h"
#include "quant/tree.h"

namespace ntq::apps {
namespace {

/// As far as both quantize the same things.
bool same_quantization(const TrainConfig& a, const TrainConfig& b) {
  return a.method == b.method && method_of(a, Side::inputs) == method_of(b, Side::inputs) &&
         a.per_channel == b.per_channel && a.bits_of_weights() == b.bits_of_weights() &&
         a.bits_of_activations() == b.bits_of_activations() && a.first_last_bits == b.first_last_bits &&
         a.bits_of == b.bits_of && (!a.skip_bits || !b.skip_bits || a.skip_bits == b.skip_bits);
}

/// Settings may give a quantizer entries of another shape (LCQ's intervals, DiffQ's groups).
bool same_shapes(const Module& model, const Weights& weights) {
  for (const auto& [name, value] : model.state_dict()) {
    const auto there = weights.tensors.find(name);
    const bool quantizers = name.find("_quant.") != std::string::npos;
    if (quantizers && there != weights.tensors.end() && there->second.shape() != value.shape()) return false;
  }
  return true;
}

/// "rescale=true, ...": settings of the file that are others here.
std::string other_settings(const Settings& file, const Settings& here) {
  std::vector<std::string> out;
  for (const auto& [key, value] : file) {
    const auto own = here.find(key);
    if (own != here.end() && !(own->second == value)) out.push_back(key + "=" + value.str());
  }
  return join(out);
}

/// Other bits, the same method: what quantizers have learned that does not depend on them.
void take_over_from(const RunCheckpoint& checkpoint, const std::string& path, bool average, Module& model,
                    LoadReport& report) {
  const std::vector<std::string> names = take_over(model, *model_of(checkpoint, path, average));
  for (const std::string& name : names)
    std::erase_if(report.fresh, [&](const std::string& entry) { return entry.starts_with(name + "."); });
  if (!names.empty())
    report.notices.push_back(concat(names.size(), " quantizers of ", checkpoint.config.method,
                                    " go on with what they have learned at the file's bits"));
}

}  // namespace

LoadReport init_from(Session& s, const std::string& path) {
  const TensorFile file = load_tensors(path);
  LoadOptions options{.path = path, .model = s.config.model};
  std::vector<std::string> notices;
  Weights weights;
  std::optional<RunCheckpoint> run;
  bool average = false;
  if (is_of_run(file)) {
    const RunCheckpoint& checkpoint = run.emplace(read_run_checkpoint(file, path));
    average = takes_average(checkpoint, path, parse_weighting(false, s.config.raw));
    weights = weights_of(checkpoint, path, average);
    if (checkpoint.has_ema()) notices.push_back(weighting_text(checkpoint, average));
    const bool same = same_quantization(checkpoint.config, s.config);
    options.keep_steps = same && same_shapes(*s.model, weights);
    if (checkpoint.config.quantized() && !options.keep_steps) {
      notices.push_back(
          concat(same ? "the file has quantizers of other shapes" : "the file has other bits or another method",
                 ": all steps start anew"));
    }
    const std::string others = other_settings(checkpoint.config.quant, s.config.quant);
    if (options.keep_steps && !others.empty()) {
      notices.push_back(concat("the file's steps are kept, which came with ", others,
                               ": what only sets first values changes nothing"));
    }
  } else {
    weights = read_weights(file, path);
  }
  const auto trained = data_record(file.metadata, path);
  if (trained && trained->classes.size() == s.record.classes.size() && trained->classes != s.record.classes) {
    notices.push_back(join(differences(*trained, {s.record.classes, trained->train, trained->val, false}, true)) +
                      ": the classifier starts anew");
    options.keep_head = false;
  }
  const std::string other = other_preprocessing(file.metadata, path, preprocessing_of(s.config, s.data.train->info()));
  if (!other.empty()) notices.push_back(other);
  LoadReport report = load_weights(*s.model, std::move(weights), options);
  if (run && run->config.quantized() && !options.keep_steps) take_over_from(*run, path, average, *s.model, report);
  if (!trained && report.keeps_head) notices.push_back(unknown_classes(path));
  report.notices.insert(report.notices.begin(), notices.begin(), notices.end());
  if (s.ema) s.ema = std::make_unique<WeightAverage>(*s.model, static_cast<float>(s.config.model_ema));
  return report;
}

}  // namespace ntq::apps
