#pragma once
// What ntq-eval evaluates: a checkpoint, a deploy graph or a file of others, with the data set that it names.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include "apps/session.h"
#include "train/layer_report.h"

namespace ntq::apps {

/// What the command line names; all else is the checkpoint's, or a default.
struct EvalOptions {
  std::string checkpoint;
  std::optional<std::string> dataset, model, stem, data_dir, aug, mean, std, val_labels, logits;
  std::optional<int64_t> image_size, limit_val, workers, threads;
  int64_t max_bad_images = 0, bn_recalibrate = 0, batch_size = 128;
  bool refresh_index = false, average = false, raw = false, allow_data_change = false, json = false;
};

/// What is evaluated, and on what.
struct Subject {
  TrainConfig config;
  DatasetPair data;
  std::shared_ptr<Module> model;
  std::string precision, title;
  std::vector<LayerReport> layers = {};
  std::string table = {};
  nlohmann::ordered_json nodes = {};  ///< of a deploy graph
};

/// Throws UsageError, CheckpointError and DataError for what does not go together.
Subject open_subject(const EvalOptions& options, Console& console);

}  // namespace ntq::apps
