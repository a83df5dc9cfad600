#pragma once
// TrainConfig: everything that ntq-train can be told, its one list of options, and its JSON form.
#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include "apps/device_choice.h"
#include "apps/layer_bits.h"
#include "quant/setting.h"

namespace ntq::apps {

/// A wrong option, value or config file; the command ends with exit code 2.
struct UsageError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// What is std::optional has a default that depends on something else (named behind it); no legal value stands for
/// "not given".
struct TrainConfig {
  std::string dataset, model;

  std::optional<std::string> data_dir;  // $NTQ_DATA_DIR, else ./datasets
  std::optional<int64_t> workers;       // loader_workers()
  bool refresh_index = false;
  bool no_aug = false;
  std::string aug = "paper";
  int64_t image_size = 224;
  bool fast_decode = false;
  int64_t max_bad_images = 10;
  std::optional<std::string> val_labels;          // class folders
  std::optional<std::string> mean, std;           // the data set's
  std::optional<int64_t> limit_train, limit_val;  // all

  int64_t bits = 32;
  std::optional<int64_t> weight_bits, act_bits;  // bits
  std::string method = "ntq";
  std::optional<std::string> act_method;  // short for quant's act.method
  Settings quant;                         // of the method; "act.KEY": of activations alone
  std::optional<double> noise, noise_k;   // short for quant's, as step_init
  bool per_channel = false;
  std::optional<int64_t> first_last_bits;  // as the other layers
  std::optional<int64_t> skip_bits;        // floats
  BitsByLayer bits_of;                     // exceptions; of --bits-file too

  std::string stem = "auto";
  bool zero_init_residual = false;

  std::optional<std::string> init;  // random weights, or a full-precision stage
  bool raw = false;
  std::optional<std::string> step_init;
  int64_t calibrate = 1, bn_recalibrate = 0;
  bool no_start_eval = false;
  std::optional<int64_t> pretrain_epochs;  // epochs
  double pretrain_lr = 0.1;
  std::optional<std::string> bits_before;  // none

  int64_t epochs = 100, batch_size = 128;
  std::optional<double> lr;  // 0.1 in full precision, 0.01 quantized
  double momentum = 0.9, weight_decay = 1e-4;
  bool nesterov = false, no_decay_vectors = false;
  std::string sched = "cosine";
  int64_t warmup_epochs = 0;
  double min_lr = 0, smoothing = 0, model_ema = 0;

  std::string device = "auto", precision = "fp32", recompute = "none";
  std::optional<int64_t> threads;  // one per core
  int64_t seed = 0;
  std::string output = "runs";
  int64_t log_interval = 50, save_every = 0, stats_every = 10;

  int64_t bits_of_weights() const { return weight_bits.value_or(bits); }
  int64_t bits_of_activations() const { return act_bits.value_or(bits); }
  /// Of any layer.
  bool quantizes(Side side) const;
  bool quantized() const { return quantizes(Side::weights) || quantizes(Side::inputs); }
  /// A full-precision stage comes first.
  bool two_stages() const { return quantized() && !init && pretrain_epochs.value_or(epochs) > 0; }
  /// Photographs, decoded as they are needed.
  bool photographs() const { return dataset == "imagenet" || dataset == "folder"; }
};

/// Recipe options decide the result: they are stored in checkpoints, compared when a run is resumed or reused. Run
/// options (paths, threads, logging) change nothing in it.
enum class Scope { recipe, run };

/// The group of options without a line of their own in --help.
inline constexpr const char* kHidden = "";

struct Option {
  const char* name;  ///< without the dashes; the JSON key has '_' for '-'
  const char* group;
  Scope scope;
  const char* help;
  std::string key() const {
    std::string text = name;
    for (char& c : text) c = c == '-' ? '_' : c;
    return text;
  }
};

/// The one list of options: visit(Option, field&). The command line, the config file, --print-config and config.json
/// are all made from it.
template <class Config, class Visitor>
void for_each_option(Config& c, Visitor&& visit) {
  const auto recipe = Scope::recipe;
  const auto run = Scope::run;
  visit(Option{"data-dir", "Data", run, "where the data sets lie [$NTQ_DATA_DIR, else ./datasets]"}, c.data_dir);
  visit(Option{"workers", "Data", run, "loader threads; 0: load between steps [1; photographs: one per core]"},
        c.workers);
  visit(Option{"refresh-index", kHidden, run, "accepted for scripts: the list of photographs is read anew each time"},
        c.refresh_index);
  visit(Option{"no-aug", "Data", recipe, "no random crop and flip"}, c.no_aug);
  visit(Option{"aug", "Data", recipe, "photographs' crops: paper or field [paper]"}, c.aug);
  visit(Option{"image-size", "Data", recipe, "side of photographs' crops [224]"}, c.image_size);
  visit(Option{"fast-decode", "Data", recipe, "decode large JPEGs at a fraction of their size"}, c.fast_decode);
  visit(Option{"max-bad-images", "Data", run, "images that cannot be read and may be left out [10]"}, c.max_bad_images);
  visit(Option{"val-labels", "Data", run, "labels of a val folder without class folders"}, c.val_labels);
  visit(Option{"mean", "Data", recipe, "of each channel, in [0, 1]; --std R,G,B: deviation [the data set's]"}, c.mean);
  visit(Option{"std", kHidden, recipe, "deviation of each channel, in (0, 1] [the data set's]"}, c.std);
  visit(Option{"limit-train", "Data", recipe, "only the first N training images; --limit-val N: of validation"},
        c.limit_train);
  visit(Option{"limit-val", kHidden, recipe, "only the first N validation images"}, c.limit_val);

  visit(Option{"bits", "Quantization", recipe, "weights and activations, 2..8, or 32: full precision [32]"}, c.bits);
  visit(Option{"weight-bits", "Quantization", recipe, "weights alone [--bits]"}, c.weight_bits);
  visit(Option{"act-bits", "Quantization", recipe, "activations alone; 32: not quantized [--bits]"}, c.act_bits);
  visit(Option{"method", "Quantization", recipe, "ntq, lsq, ... [ntq]"}, c.method);
  visit(Option{"act-method", "Quantization", recipe,
               "another method for activations: --quant act.method=NAME [--method]"},
        c.act_method);
  visit(Option{"quant", "Quantization", recipe, "a setting of the method; act.KEY=VALUE: of activations alone"},
        c.quant);
  visit(Option{"noise", "Quantization", recipe,
               "NTQ's noise level c, in [0, 1) [0.2]; --noise-k X: its tempering k [50]"},
        c.noise);
  visit(Option{"noise-k", kHidden, recipe, "NTQ's tempering k: --quant noise_k=X [50]"}, c.noise_k);
  visit(Option{"per-channel", "Quantization", recipe, "a step for each output channel of a weight"}, c.per_channel);
  visit(Option{"first-last-bits", "Quantization", recipe, "first conv and classifier [as the others]"},
        c.first_last_bits);
  visit(Option{"skip-bits", "Quantization", recipe, "residual sums and what they add: 8 as ONNX Runtime adds [floats]"},
        c.skip_bits);
  visit(Option{"bits-of", "Quantization", recipe, "of single layers: LAYER=8, LAYER=fp, LAYER=w8a4, with commas"},
        c.bits_of);

  visit(Option{"stem", "Model", recipe, "cifar, imagenet, or auto: as the data set [auto]"}, c.stem);
  visit(Option{"zero-init-residual", "Model", recipe, "last batch norm of a block starts at 0"}, c.zero_init_residual);

  visit(Option{"init", "Start", run, "start from the weights of this checkpoint"}, c.init);
  visit(Option{"raw", "Start", run, "of --init and the first stage: the weights themselves, not their average"}, c.raw);
  visit(Option{"step-init", "Start", recipe, "first steps: lsq (from mean|x|) or mse (least squared error) [lsq]"},
        c.step_init);
  visit(Option{"calibrate", "Start", recipe, "batches that set the first quantizer steps [1]"}, c.calibrate);
  visit(Option{"bn-recalibrate", "Start", recipe, "re-estimate batch norm on N batches before each validation [0]"},
        c.bn_recalibrate);
  visit(Option{"no-start-eval", "Start", run, "no accuracy before and after quantization"}, c.no_start_eval);
  visit(Option{"pretrain-epochs", "Start", recipe, "full-precision stage; 0: none [--epochs]"}, c.pretrain_epochs);
  visit(Option{"pretrain-lr", "Start", recipe, "its learning rate [0.1]"}, c.pretrain_lr);
  visit(Option{"bits-before", "Start", recipe, "widths to train at first, each from the last one's weights: 8,5"},
        c.bits_before);

  visit(Option{"epochs", "Optimizer", recipe, "passes over the training images [100]"}, c.epochs);
  visit(Option{"batch-size", "Optimizer", recipe, "images per step [128]"}, c.batch_size);
  visit(Option{"lr", "Optimizer", recipe, "learning rate [0.1; 0.01 when quantized]"}, c.lr);
  visit(Option{"momentum", "Optimizer", recipe, "[0.9]"}, c.momentum);
  visit(Option{"weight-decay", "Optimizer", recipe, "[1e-4]"}, c.weight_decay);
  visit(Option{"nesterov", "Optimizer", recipe, "Nesterov momentum"}, c.nesterov);
  visit(Option{"no-decay-vectors", "Optimizer", recipe, "no decay on biases and batch norm"}, c.no_decay_vectors);
  visit(Option{"sched", "Optimizer", recipe, "cosine, step, paper, exponential or constant [cosine]"}, c.sched);
  visit(Option{"warmup-epochs", "Optimizer", recipe, "linear warm-up [0]"}, c.warmup_epochs);
  visit(Option{"min-lr", "Optimizer", recipe, "where cosine and exponential end [0]"}, c.min_lr);
  visit(Option{"smoothing", "Optimizer", recipe, "label smoothing, in [0, 1) [0]"}, c.smoothing);
  visit(Option{"model-ema", "Optimizer", recipe, "average the weights with this decay; 0: off [0]"}, c.model_ema);

  visit(Option{"device", "Run", run, kDeviceHelp}, c.device);
  visit(Option{"precision", "Run", recipe, "of training: fp32, tf32 (GPUs), or bf16 between the layers [fp32]"},
        c.precision);
  visit(Option{"recompute", "Run", run, "none or blocks: a block's activations again in backward, not kept [none]"},
        c.recompute);
  visit(Option{"threads", "Run", run, "compute threads [one per core]"}, c.threads);
  visit(Option{"seed", "Run", recipe, "of weights, data order, augmentation and noise [0]"}, c.seed);
  visit(Option{"output", "Run", run, "folder of the run folders [runs]"}, c.output);
  visit(
      Option{"log-interval", "Run", run, "steps between log lines [50]; --save-every N: saves; --stats-every N: rows"},
      c.log_interval);
  visit(Option{"save-every", kHidden, run, "also save each N steps; 0: once an epoch [0]"}, c.save_every);
  visit(Option{"stats-every", kHidden, run, "steps between rows of steps.csv; 0: neither it nor layers.csv [10]"},
        c.stats_every);
}

enum class JsonPart { all, recipe };

/// Data set, model and every option of the part, in the order of the list.
nlohmann::ordered_json config_to_json(const TrainConfig& config, JsonPart part);
/// Overwrites what `json` names; null: not given. Throws UsageError for an unknown key or a value of another type;
/// `where` stands for the file in it.
void apply_json(TrainConfig& config, const nlohmann::ordered_json& json, const std::string& where);
/// JSON that ntq-train wrote, where releases up to 0.1 put 0, -1 or "" for what was not given: null instead. None of
/// these is a legal value of the option.
nlohmann::ordered_json without_sentinels(nlohmann::ordered_json json);
/// Whether the JSON is all of an older release's options, as its config.json or --print-config; what people write is
/// taken at its word.
bool is_of_older_release(const nlohmann::ordered_json& json);
/// Run options of `config` (workers, threads, ...) that this machine or build does not take, put back to their
/// defaults: they change no result, so they stop no run. Gives their names.
std::vector<std::string> reset_impossible_run_options(TrainConfig& config);
/// "0.485,0.456,0.406". Throws UsageError naming `option`.
std::array<float, 3> parse_channels(const char* option, const std::string& text);
/// Throws UsageError: "--epochs: expected 1 or more, found 0".
void validate(const TrainConfig& config);
/// Loader threads: as given, else 1, or one per core for photographs.
int64_t loader_workers(const TrainConfig& config);
/// Fills in what depends on other options and sets to the defaults what has no effect, so that equal recipes have equal
/// JSON. Idempotent.
TrainConfig resolve(TrainConfig config);
/// The runs of which each starts from the weights of the one before: full precision unless --init or --pretrain-epochs
/// 0 stands for it, the widths of --bits-before, and last `config` itself, which is resolved.
std::vector<TrainConfig> stages_of(const TrainConfig& config);
/// "cifar10-resnet20-w4a4-ntq", "cifar10-resnet20-fp".
std::string run_name(const TrainConfig& config);

}  // namespace ntq::apps
