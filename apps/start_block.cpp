#include "apps/start_block.h"

#include "apps/command.h"
#include "apps/config_quant.h"
#include "apps/json.h"
#include "apps/layer_text.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/printable.h"
#include "engine/serialize.h"
#include "quant/tree.h"

namespace ntq::apps {
namespace {

std::string grouped(int64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), ",");
  return text;
}

std::string optimizer_text(const TrainConfig& c) {
  std::string text = concat("SGD, lr ", general(c.lr.value()), ", ", c.nesterov ? "Nesterov " : "", "momentum ",
                            general(c.momentum), ", weight decay ", general(c.weight_decay), ", batch ", c.batch_size);
  if (c.no_decay_vectors) text += ", none on biases and batch norm";
  if (c.smoothing > 0) text += ", label smoothing " + general(c.smoothing);
  if (c.model_ema > 0) text += ", weight average " + general(c.model_ema);
  return text;
}

std::string schedule_text(const TrainConfig& c, int64_t steps) {
  std::string text = concat(c.sched, ", ", c.epochs, c.epochs == 1 ? " epoch of " : " epochs of ", steps, " steps");
  if (c.warmup_epochs > 0) text += concat(", ", c.warmup_epochs, " of them warm-up");
  if (c.min_lr > 0) text += ", down to " + general(c.min_lr);
  return text;
}

std::string first_of(const std::vector<std::string>& names) {
  return names.empty() ? "" : concat(" (", printable(names[0], 80), names.size() > 1 ? ", ..." : "", ")");
}

/// Whether --init names a training of more bits by the same method; also where it cannot be read any more.
bool starts_wider(const TrainConfig& c) try {
  if (!c.init) return false;
  const Json found = parse_json_or_null(load_header(*c.init).metadata.at("ntq.quantization"));
  return found.is_object() && found.value("method", "fp") == c.method &&
         found.value("weight_bits", 0) > c.bits_of_weights();
} catch (const std::out_of_range&) {  // of others
  return false;
} catch (const CheckpointError&) {
  return true;
}

}  // namespace

std::string precision_text(const TrainConfig& c) {
  const std::string trained = c.precision == "fp32" ? "" : ", trained in " + c.precision;
  if (!c.quantized()) return "full precision" + trained;
  const auto bits = [](int64_t b) { return b == 32 ? std::string("fp") : std::to_string(b); };
  const std::string own = method_of(c, Side::inputs);
  return concat(
      "weights ", bits(c.bits_of_weights()), ", activations ", bits(c.bits_of_activations()), " bits (", c.method,
      c.quantizes(Side::inputs) && own != c.method ? ", " + own : "", c.per_channel ? ", per channel)" : ")",
      c.bits_of.empty() ? "" : concat(", own bits in ", c.bits_of.size(), c.bits_of.size() == 1 ? " layer" : " layers"),
      c.skip_bits ? concat(", skips ", *c.skip_bits) : "", c.bits_before ? ", after " + *c.bits_before : "", trained);
}

void print_start(Console& console, const Session& s, const std::string& run_path) {
  const TrainConfig& c = s.config;
  const DatasetInfo& info = s.data.train->info();
  console.headline(concat("ntq-train ", version(), ": ", c.model, " on ", c.dataset, ", ", precision_text(c)));
  print_device(console, s.device);
  if (c.precision == "bf16" && s.device.device == Device() && limit_isa(Limit::bf16_dot) != "avx512bf16") {
    console.warn(
        "this CPU has no AVX512-BF16: bfloat16 takes several times as long as --precision fp32 here, for the same bits "
        "as elsewhere");
  }
  console.line(concat("  model      ", c.model, ", ", grouped(s.model->parameter_count()), " parameters"));
  console.line(concat("  data       ", grouped(s.data.train->size()), " training and ", grouped(s.data.val->size()),
                      " validation images, ", info.height, "x", info.width, "x", info.channels, ", ", info.classes,
                      " classes, ", c.no_aug ? "no augmentation" : (info.flip ? "crop and flip" : "crop"), ", ",
                      loader_workers(c), loader_workers(c) == 1 ? " worker" : " workers"));
  console.line("  bits       " + bits_summary(report_layers(*s.model)));
  if (!c.bits_of.empty()) console.line("  bits of    " + printable(layers_text(c.bits_of), 400));
  if (!c.quant.empty()) console.line("  settings   " + quant_text(c));
  console.line("  optimizer  " + optimizer_text(c));
  console.line("  schedule   " + schedule_text(c, s.schedule.steps_per_epoch));
  console.line(concat("  seed       ", c.seed));
  console.line("  run        " + run_path);
  if (s.progress.epoch > 0 || s.progress.step > 0) {
    console.line(concat("  resumed    behind epoch ", s.progress.epoch, ", step ", s.progress.step));
  }
}

void warn_left_out(Console& console, const Session& s, bool is_last) {
  const TrainConfig& c = s.config;
  const std::vector<LayerBits> before = parse_widths("--bits-before", c.bits_before);
  const bool narrows = !before.empty() && before.back().weight.value_or(0) > c.bits_of_weights();
  // 8 bits are the first of a chain.
  const TrainingPlan plan{.steps = s.schedule.epochs * s.schedule.steps_per_epoch,
                          .after_wider = !is_last || narrows || c.bits_of_weights() == 8 || starts_wider(c)};
  for (const auto& text : left_out(*s.model, plan)) console.warn("this run does not count as " + text);
}

void print_init(Console& console, const LoadReport& report, const std::string& path) {
  console.line(concat("Starting from ", printable(path), ": ", report.matched, " tensors matched, ",
                      report.fresh.size(), " quantizer entries to be calibrated, ", report.missing.size(), " missing",
                      first_of(report.missing), ", ", report.left_over.size(), " left over",
                      first_of(report.left_over)));
  for (const auto& notice : report.notices) console.line("Note: " + notice);
  if (!report.missing.empty()) {
    console.warn(concat(printable(path), " lacks ", report.missing.size(), " tensors of the model",
                        first_of(report.missing), "; they start at random"));
  }
  if (!report.left_over.empty()) {
    console.warn(concat(printable(path), ": left out ", report.left_over.size(),
                        " tensors that the model has no place for", first_of(report.left_over)));
  }
}

}  // namespace ntq::apps
