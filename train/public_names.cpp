#include "train/public_names.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ntq {
namespace {

using namespace std::string_view_literals;

/// Of DataParallel, torch.compile, wrappers such as Lightning's, and whole training checkpoints.
constexpr std::array kPrefixes = {"module."sv, "_orig_mod."sv, "model."sv, "state_dict."sv};
/// First components of what lies beside a model in a training checkpoint.
constexpr std::array kBeside = {"optimizer"sv,    "optimizers"sv, "optimizer_states"sv, "optim"sv,
                                "ema"sv,          "model_ema"sv,  "state_dict_ema"sv,   "ema_model"sv,
                                "lr_scheduler"sv, "scheduler"sv,  "lr_schedulers"sv,    "scaler"sv,
                                "amp_scaler"sv,   "epoch"sv,      "loss_scaler"sv,      "criterion"sv,
                                "step"sv,         "iteration"sv,  "global_step"sv,      "rng_state"sv,
                                "metric"sv};

std::string_view prefix_of(std::string_view name) {
  for (const auto prefix : kPrefixes) {
    if (name.starts_with(prefix) && name.size() > prefix.size()) return prefix;
  }
  return {};
}

bool is_beside(std::string_view name) {
  return std::find(kBeside.begin(), kBeside.end(), name.substr(0, name.find('.'))) != kBeside.end();
}

}  // namespace

std::string shared_prefix(const std::vector<std::string>& names) {
  std::string shared;
  for (;;) {
    std::string_view next;
    for (const std::string& name : names) {
      // Within a prefix nothing lies beside the model: what begins with it is the model's.
      if (!std::string_view(name).starts_with(shared) || (is_beside(name.substr(shared.size())))) continue;
      const std::string_view found = prefix_of(std::string_view(name).substr(shared.size()));
      if (found.empty() || (!next.empty() && found != next)) return shared;
      next = found;
    }
    if (next.empty()) return shared;
    shared += next;
  }
}

std::string bare_name(const std::string& name) {
  std::string_view rest = name;
  for (auto prefix = prefix_of(rest); !prefix.empty(); prefix = prefix_of(rest)) rest.remove_prefix(prefix.size());
  return std::string(rest);
}

std::string our_name(std::string name) {
  if (name.rfind("linear.", 0) == 0) name.replace(0, 6, "fc");
  // "shortcut.0.weight" of a block is "downsample.0.weight"; a wide ResNet's "shortcut.weight" is our own name.
  const auto at = name.find(".shortcut.");
  if (at != std::string::npos && at + 10 < name.size() && (name[at + 10] == '0' || name[at + 10] == '1')) {
    name.replace(at + 1, 8, "downsample");
  }
  return name;
}

bool is_counter(const std::string& name) { return name.ends_with("num_batches_tracked"); }

}  // namespace ntq
