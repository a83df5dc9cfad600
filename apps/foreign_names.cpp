// What other training programs (timm, PyTorch's examples, Lightning, Ultralytics, Hugging Face) call our options.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>

#include "apps/command_line.h"
#include "apps/text.h"
#include "base/check.h"

namespace ntq::apps {
namespace {

struct Foreign {
  const char* names;  ///< with spaces around each
  const char* ours;   ///< options, the first that the command has counts
};

constexpr std::array kForeign = {
    Foreign{" wd l2 l2-reg decay weightdecay ", "weight-decay"},
    Foreign{" b bs batch batchsize train-batch-size test-batch-size val-batch-size validation-batch-size "
            "per-device-train-batch-size per-device-eval-batch-size micro-batch-size ",
            "batch-size"},
    Foreign{" j nw num-workers n-workers nworkers worker loader-workers data-workers dataloader-num-workers "
            "num-data-workers ",
            "workers"},
    Foreign{" data d data-path data-root dataroot datadir data-folder dataset-dir dataset-path dataset-root root "
            "train-dir val-dir img-dir ",
            "data-dir"},
    Foreign{" learning-rate learningrate lr0 base-lr init-lr initial-lr eta max-lr ", "lr"},
    Foreign{" e epoch max-epochs max-epoch num-epochs num-epoch n-epochs nepochs nb-epochs total-epochs n-epoch "
            "num-train-epochs ",
            "epochs"},
    Foreign{" imgsz imgsize img-size input-size crop-size crop resolution size res train-crop-size val-crop-size "
            "val-resize-size ",
            "image-size"},
    Foreign{" label-smoothing ls ", "smoothing"},
    Foreign{" ema ema-decay use-ema model-ema-decay ", "model-ema ema"},
    Foreign{" model-ema use-ema average averaged ", "ema"},
    Foreign{" scheduler lr-scheduler lr-sched lr-schedule schedule lr-policy lr-scheduler-type cos-lr ", "sched"},
    Foreign{" warmup warm-up lr-warmup-epochs warmup-epoch num-warmup-epochs warmup-steps ", "warmup-epochs"},
    Foreign{" eta-min lr-min final-lr lrf end-lr ", "min-lr"},
    Foreign{" m mom beta ", "momentum"},
    Foreign{" opt optim optimizer ", "momentum"},
    Foreign{" gpu gpus ngpu num-gpus cuda no-cuda use-cuda accelerator accel cpu ", "device threads"},
    Foreign{" amp fp16 bf16 half dtype mixed-precision autocast ", "precision"},
    Foreign{" nthreads num-threads n-threads t omp-threads cpus cores ", "threads"},
    Foreign{" s random-seed manual-seed random-state rng-seed ", "seed"},
    Foreign{" o out outdir out-dir output-dir output-path save-dir save-path save work-dir workdir log-dir logdir "
            "default-root-dir checkpoint-dir ckpt-dir results-dir project exp experiment name run-name prefix ",
            "output logits"},
    Foreign{" p print-freq print-interval log-freq log-every log-every-n-steps log-steps logging-steps ",
            "log-interval"},
    Foreign{" save-freq save-interval save-steps save-period checkpoint-interval checkpoint-every recovery-interval ",
            "save-every"},
    Foreign{" pretrained weights checkpoint ckpt ckpt-path load load-from model-path initial-checkpoint finetune "
            "fine-tune start-from w ",
            "init"},
    Foreign{" r continue resume-from auto-resume restart ", "resume"},
    Foreign{" wbits w-bits wbit weight-bit bits-w nbits-w bit-w weight-bitwidth ", "weight-bits"},
    Foreign{" abits a-bits abit act-bit activation-bits bits-a nbits-a bit-a act-bitwidth ", "act-bits"},
    Foreign{" bit nbits n-bits num-bits bitwidth bit-width quant-bits ", "bits"},
    Foreign{" quant quantizer quant-method quantization qat q-method algorithm ", "method"},
    Foreign{" limit-train-batches max-train-samples train-limit subset ", "limit-train"},
    Foreign{" limit-val-batches limit-test-batches max-eval-samples max-val-samples limit-eval val-limit n ",
            "limit-val"},
    Foreign{" augment augmentation auto-augment aa randaugment transform ", "aug"},
    Foreign{" no-augment no-augmentation ", "no-aug"},
    Foreign{" fast-dev-run dry estimate ", "dry-run"},
    Foreign{" q silent no-verbose ", "quiet"},
    Foreign{" c cfg yaml hyp opts args ", "config"},
    Foreign{" zero-init-last zero-init zero-gamma ", "zero-init-residual"},
    Foreign{" norm-mean img-mean ", "mean"},
    Foreign{" norm-std img-std deviation ", "std"},
    Foreign{" f force overwrite-output exist-ok ", "overwrite"},
    Foreign{" int8 quantize quantised ", "quantized bits"},
    Foreign{" v V ", "version"},
};

std::string without_underscores(std::string name) {
  for (char& c : name) c = c == '_' ? '-' : c;
  return name;
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool takes(const CLI::App& app, const std::string& option) { return app.get_option_no_throw("--" + option) != nullptr; }

/// The option of this command that others call so, or "".
std::string translated(const CLI::App& app, const std::string& name) {
  for (const auto& foreign : kForeign) {
    if (std::string(foreign.names).find(" " + name + " ") == std::string::npos) continue;
    for (const auto& ours : CLI::detail::split(foreign.ours, ' ')) {
      if (takes(app, ours)) return ours;
    }
  }
  return "";
}

/// Of a DATASET or MODEL that this command takes without a name.
std::string as_positional(const CLI::App& app, const std::string& name) {
  static const std::array kinds = {
      Foreign{" dataset data-set ", "DATASET"},
      Foreign{" model arch a architecture net network backbone model-name ", "MODEL"},
      Foreign{" checkpoint ckpt weights model-path resume init input file i ", "CHECKPOINT"},
      Foreign{" out output o output-file outfile ", "OUT"}};
  for (const auto& kind : kinds) {
    if (std::string(kind.names).find(" " + name + " ") == std::string::npos) continue;
    const CLI::Option* option = app.get_option_no_throw(kind.ours);
    if (option != nullptr && option->get_positional()) {
      std::string words;
      for (const auto* each : app.get_options()) {
        if (each->get_positional()) words += " " + each->get_name();
      }
      return concat("the ", kind.ours, " stands without an option: ", app.get_name(), words);
    }
  }
  return "";
}

}  // namespace

std::string meant(const CLI::App& app, const std::string& name) {
  const std::string wanted = lower_case(without_underscores(name));
  if (wanted.empty()) return "";
  std::vector<std::string> options, begin;
  for (const auto* option : app.get_options()) {
    for (const auto& each : option->get_lnames()) options.push_back(each);
  }
  for (const auto& option : options) {
    if (option == wanted) return "did you mean --" + option + "?";
    if (wanted.size() > 1 && option.rfind(wanted, 0) == 0) begin.push_back("--" + option);
  }
  if (const std::string text = as_positional(app, wanted); !text.empty()) return text;
  if (wanted == "opt" || wanted == "optim" || wanted == "optimizer") {
    if (takes(app, "momentum")) return "the optimizer is SGD: --momentum, --nesterov";
  }
  if (const std::string ours = translated(app, wanted); !ours.empty()) return "did you mean --" + ours + "?";
  if (begin.size() > 3) begin.resize(3);
  if (!begin.empty()) {
    std::string list;
    for (size_t i = 0; i < begin.size(); ++i) list += (i == 0 ? "" : i + 1 < begin.size() ? ", " : " or ") + begin[i];
    return "did you mean " + list + "?";
  }
  const std::string guess = nearest(wanted, options);
  return guess.empty() ? "" : "did you mean --" + guess + "?";
}

}  // namespace ntq::apps
