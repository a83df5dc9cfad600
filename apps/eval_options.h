#pragma once
// The options by which ntq-eval and ntq-analyze say what network they look at, and on what data.
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace ntq::apps {

/// What the command line names; all else is the checkpoint's, or a default.
struct EvalOptions {
  std::string checkpoint;
  std::optional<std::string> dataset, model, stem, data_dir, aug, mean, std, val_labels, logits;
  std::string device = "auto";
  std::optional<int64_t> image_size, limit_train, limit_val, workers, threads;
  int64_t max_bad_images = 0, bn_recalibrate = 0, batch_size = 128;
  bool refresh_index = false, average = false, raw = false, allow_data_change = false, json = false;
};

/// CHECKPOINT, described by `what`, and all options that are not of one command alone.
void add_eval_options(CLI::App& app, const char* what, EvalOptions& o);

}  // namespace ntq::apps
