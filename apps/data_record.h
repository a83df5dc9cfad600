#pragma once
// What a run was trained on: classes, images, and how they reach the network. Kept in the metadata of checkpoints and
// exports, so that a run, an evaluation or another program can tell whether it sees the same data.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include "apps/config.h"
#include "data/dataset.h"
#include "train/checkpoint.h"

namespace ntq::apps {

struct SplitRecord {
  int64_t images = 0;
  std::string fingerprint;  ///< Dataset::fingerprint()
  bool operator==(const SplitRecord&) const = default;
};

struct DataRecord {
  std::vector<std::string> classes;  ///< names in label order
  SplitRecord train, val;            ///< no images: there is no such split
  bool changed = false;              ///< earlier epochs saw other training data (--allow-data-change)
  bool operator==(const DataRecord&) const = default;
};

/// From bytes to what the network sees: (value in [0, 1] - mean) / deviation of a crop.
struct Preprocessing {
  std::array<float, 3> mean{}, deviation{};
  int64_t image_size = 32, channels = 3;
  std::string crop, stem;    ///< of photographs "paper" or "field", else "whole"; "cifar" or "imagenet"
  bool fast_decode = false;  ///< photographs decoded at a fraction of their size
};

DataRecord record_of(const DatasetPair& data);
Preprocessing preprocessing_of(const TrainConfig& config, const DatasetInfo& info);

/// Metadata entries "ntq.data" and "ntq.preprocessing".
void put_record(Metadata& metadata, const DataRecord& data, const Preprocessing& preprocessing);
/// Nothing in files of releases before these entries; throws CheckpointError, naming `path`, for damaged ones.
std::optional<DataRecord> data_record(const Metadata& metadata, const std::string& path);
std::optional<Preprocessing> preprocessing_record(const Metadata& metadata, const std::string& path);

/// Mean and deviation as a recipe's options say them, whatever data set it names.
void use_preprocessing(TrainConfig& recipe, const Preprocessing& trained);

/// "trained on images of mean 0,0,0 and deviation 1,1,1, here ..."; "" where these are the same, or the file does not
/// say.
std::string other_preprocessing(const Metadata& metadata, const std::string& path, const Preprocessing& here);

/// What differs, a phrase each: "24 training images there, 33 here". With `training_only` validation images may differ.
std::vector<std::string> differences(const DataRecord& there, const DataRecord& here, bool training_only);

/// Of a file without a record: that its classes could not be compared.
std::string unknown_classes(const std::string& path);

/// The checkpoint at `path` goes on with `here`. Other data: throws CheckpointError saying what differs, or with
/// `allow_change` gives a line that does. A line too for a checkpoint that does not say; "" when all is the same.
/// `training_only`: of a stage that is finished, whose validation images matter no more.
std::string check_same_data(const Metadata& metadata, const std::string& path, const DataRecord& here,
                            bool allow_change, bool training_only = false);

}  // namespace ntq::apps
