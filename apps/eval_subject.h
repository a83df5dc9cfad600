#pragma once
// What ntq-eval evaluates, and where: a checkpoint, a deploy graph or a file of others, with the data set that it
// names.
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include "apps/eval_options.h"
#include "apps/session.h"
#include "train/layer_report.h"
#include "train/weight_figures.h"

namespace ntq::apps {

/// What is evaluated, and on what.
struct Subject {
  TrainConfig config;
  DatasetPair data;
  std::shared_ptr<Module> model;
  std::string precision, title;
  std::vector<LayerReport> layers = {};
  WeightMeans means = {};
  std::string table = {};
  nlohmann::ordered_json nodes = {};  ///< of a deploy graph
  DeviceChoice device = {};           ///< where the model is
};

/// Throws UsageError, CheckpointError and DataError for what does not go together.
Subject open_subject(const EvalOptions& options, Console& console);

}  // namespace ntq::apps
