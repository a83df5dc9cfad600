#include "apps/advice.h"

#include <algorithm>

#include "apps/config_quant.h"
#include "apps/json.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

class Advice {
 public:
  Advice(const TrainConfig& config, const Json& given, const Json& from_file)
      : c_(config), given_(given), file_(from_file), standard_(config_to_json(TrainConfig{}, JsonPart::all)) {
    // Older files hold the defaults of the short forms.
    const Json settings = config_to_json(with_all_settings(), JsonPart::recipe)["quant"];
    for_each_short_form(c_, [&](const char* key, const auto&) { standard_[key] = settings[key]; });
  }

  std::vector<std::string> run() {
    data();
    quantization();
    start();
    optimizer();
    return std::move(lines_);
  }

 private:
  static TrainConfig with_all_settings() {
    TrainConfig defaults;
    defaults.bits = 4;
    resolve_quant(defaults);
    return defaults;
  }
  /// A flag that was switched off, or an option that is null, is not asked for.
  bool wished(const Json& from, const char* key) const {
    return from.is_object() && from.contains(key) && !from[key].is_null() && from[key] != false;
  }
  bool asked_for(const char* key) const {
    if (wished(given_, key)) return true;
    if (std::string_view(key) == "pretrain_epochs" && wished(file_, key) && file_[key] == 0) return false;  // resolve()
    return wished(file_, key) && file_[key] != standard_[key];
  }

  /// "--image-size has no effect " + why, of those that were asked for.
  void no_effect(std::initializer_list<const char*> keys, const std::string& why) {
    for (const char* key : keys) {
      if (!asked_for(key)) continue;
      std::string name = key;
      for (char& ch : name) ch = ch == '_' ? '-' : ch;
      lines_.push_back(concat("--", name, " has no effect ", why));
    }
  }

  void data() {
    if (!c_.photographs()) {
      no_effect({"image_size", "aug", "fast_decode", "val_labels", "max_bad_images"}, "on " + c_.dataset);
    }
    no_effect({"refresh_index"}, "any more: the list of photographs is read anew each time");
    if (c_.dataset == "synthetic") no_effect({"data_dir"}, "on synthetic, which is made in code");
  }

  void quantization() {
    // A file holds all three, two of them derived from the third.
    if (wished(given_, "weight_bits") && wished(given_, "act_bits") && wished(given_, "bits")) {
      no_effect({"bits"}, "beside --weight-bits and --act-bits");
    }
    if (!c_.quantized()) {
      no_effect({"method", "act_method", "quant", "per_channel", "noise", "noise_k", "first_last_bits", "skip_bits",
                 "bits_of", "step_init", "calibrate", "no_start_eval", "pretrain_epochs", "pretrain_lr", "bits_before"},
                "in full precision; --bits N quantizes");
      return;
    }
    settings();
  }

  /// Of the methods: those that were given and that change nothing in any quantizer of the run.
  void settings() {
    const bool weights = c_.quantizes(Side::weights);
    if (!weights) no_effect({"per_channel"}, "on weights in full precision");
    if (!c_.quantizes(Side::inputs)) no_effect({"act_method", "skip_bits"}, "on activations in full precision");
    for_each_short_form(c_, [&](const char* key, const auto&) {
      std::string why = idle_reason(c_, key);
      if (const std::string own = concat("act.", key); !why.empty() && c_.quant.contains(own))
        why = idle_reason(c_, own);
      if (!why.empty()) no_effect({key}, why);
    });
    for (const std::string& key : wished_settings()) {
      const std::string why = idle_reason(c_, key);
      if (!why.empty()) lines_.push_back(concat("--quant ", key, " has no effect ", why));
    }
  }
  std::vector<std::string> wished_settings() const {
    std::vector<std::string> out;
    const auto add = [&](const Json& from, auto&& counts) {
      if (!wished(from, "quant") || !from["quant"].is_object()) return;
      for (const auto& entry : from["quant"].items()) {
        if (counts(entry.key()) && std::find(out.begin(), out.end(), entry.key()) == out.end())
          out.push_back(entry.key());
      }
    };
    add(given_, [](const std::string&) { return true; });
    add(file_, [&](const std::string& key) { return !is_standard(c_, key); });
    return out;
  }

  void start() {
    if (c_.init) {
      no_effect({"zero_init_residual"}, "with --init, whose file holds the batch norms");
      no_effect({"pretrain_epochs", "pretrain_lr"}, "with --init, which stands for the full-precision stage");
    } else if (stages_of(c_).size() == 1 || c_.model_ema == 0) {
      no_effect({"raw"}, "without --init or a first stage with --model-ema");
    }
    if (!c_.quantized() || c_.init) return;
    if (!c_.two_stages()) {
      no_effect({"pretrain_lr"}, "with --pretrain-epochs 0");
      if (c_.bits_before) return;
      no_effect({"calibrate", "no_start_eval"}, "with --pretrain-epochs 0: the first batch sets the steps");
    }
  }

  void optimizer() {
    if (c_.sched == "constant" || c_.sched == "step") no_effect({"min_lr"}, "on --sched " + c_.sched);
    if (c_.weight_decay == 0) no_effect({"no_decay_vectors"}, "with --weight-decay 0");
    for (const std::string& key : wished_settings()) {
      if (!key.ends_with("step_decay") && !key.ends_with("alpha_decay")) continue;
      if (c_.weight_decay == 0)
        lines_.push_back(concat("--quant ", key, " has no effect with --weight-decay 0"));
      else if (c_.no_decay_vectors)
        lines_.push_back(concat("--quant ", key, " has no effect with --no-decay-vectors"));
    }
    if (c_.warmup_epochs == c_.epochs) no_effect({"sched"}, "when all epochs are warm-up");
  }

  const TrainConfig& c_;
  const Json& given_;
  const Json& file_;
  Json standard_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> options_without_effect(const TrainConfig& config, const Json& given, const Json& from_file) {
  return Advice(config, given, from_file).run();
}

std::vector<std::string> options_without_effect(const TrainConfig& config, const Json& given) {
  return options_without_effect(config, given, Json::object());
}

}  // namespace ntq::apps
