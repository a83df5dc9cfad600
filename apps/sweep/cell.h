#pragma once
// A cell of a sweep: one training, known by its recipe and by what it starts from.
#include <optional>
#include <string>
#include <vector>

#include "apps/config.h"

namespace ntq::apps {

struct Cell {
  TrainConfig given;     ///< as asked for, which makes its command
  TrainConfig resolved;  ///< which makes its result
  /// Of the cell whose last.bin it starts from: the full-precision stage. It stands before this one.
  std::optional<size_t> start = {};
  std::string name = {};  ///< of its folder: "cifar10-resnet20-w4a32-ntq-seed0-1f00c5d2aa"
};

/// Validates and resolves the options. Throws UsageError as ntq-train does. `start`: the cell that it starts from.
Cell make_cell(const TrainConfig& given, std::optional<size_t> start = {}, const std::string& start_name = "");

/// What ntq-train is told, without its own name: data set, model, and the options that are not at their defaults.
std::vector<std::string> train_words(const TrainConfig& given);
/// The options that a resumed run may be told: those that change no result.
std::vector<std::string> resume_words(const TrainConfig& given);

/// Words as a shell takes them.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace ntq::apps
