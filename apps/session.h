#pragma once
// Session: a training with the options that it is built from and its data.
#include <memory>

#include "apps/config.h"
#include "apps/console.h"
#include "apps/data_record.h"
#include "apps/device_choice.h"
#include "train/step.h"
#include "train/training.h"

namespace ntq::apps {

struct Session : Training {
  TrainConfig config;
  DatasetPair data;
  DataRecord record;  ///< of `data`
  LossFn loss;
  DeviceChoice device;
};

/// Shows progress while class folders are read for the first time, and warns of what was left out. `classes`: names
/// that the labels have to mean, in label order; empty: the data's own, of a list of numbers `class_count` or more.
DatasetPair open_data(const TrainConfig& config, Console& console, const std::vector<std::string>& classes = {},
                      int64_t class_count = 0);
/// Gray images take the first of the three numbers of --mean and --std: throws UsageError where the others differ,
/// which would be lost in silence.
void check_gray(const TrainConfig& config, const DatasetInfo& info);
/// The model that the options describe, for `classes` and images of `channels`.
std::shared_ptr<Module> build_model(const TrainConfig& config, int64_t classes, int64_t channels);
/// Of the training images, for a device; in_order() of them for those of validation.
LoaderOptions loader_options(const TrainConfig& config, Device device = {});
/// Throws UsageError when an epoch would have no step.
Session make_session(const TrainConfig& config, const DatasetPair& data);

}  // namespace ntq::apps
