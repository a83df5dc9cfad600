#include "apps/step_tables.h"

#include <filesystem>

#include "apps/text.h"
#include "base/check.h"
#include "base/input_file.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

std::string number(const std::optional<double>& value) { return value ? general(*value) : ""; }

CsvFile open_table(const std::string& path, const std::string& first_column, int64_t last) {
  const std::string text = std::filesystem::exists(path) ? read_text_file(path) : "";
  if (!text.empty() && !text.starts_with(first_column + ",")) {
    throw CheckpointError(concat(path, ": expected a table of ntq-train, which begins with '", first_column,
                                 ",', found '", printable(text.substr(0, text.find('\n')), 40),
                                 "'; move the file away, or give --stats-every 0"));
  }
  return CsvFile(path, last);
}

}  // namespace

StepTables::StepTables(Session& session, const RunFolder& run) : s_(session) {
  if (!s_.statistics) return;
  steps_ = open_table(run.file("steps.csv"), "step", s_.global_step());
  layers_ = open_table(run.file("layers.csv"), "epoch", s_.progress.epoch);
}

void StepTables::updated() {
  if (s_.statistics) s_.statistics->look(s_.global_step() % s_.config.stats_every == 0);
}

void StepTables::step(const StepScore& score) {
  if (!s_.statistics) return;
  const std::vector<WeightFigures> layers = s_.statistics->read();
  if (layers.empty()) return;
  const WeightMeans means = weight_means(layers);
  const int64_t step = s_.progress.epoch * s_.schedule.steps_per_epoch + score.step;
  steps_->add({{"step", std::to_string(step)},
               {"epoch", std::to_string(s_.progress.epoch + 1)},
               {"loss", score.images > 0 ? fixed(score.loss, 6) : ""},
               {"lr", general(static_cast<double>(s_.schedule.at(step - 1)))},
               {"mean_step", number(means.step)},
               {"mean_error", number(means.error)},
               {"mean_max_weight", number(means.max_weight)},
               {"oscillating", number(means.oscillating)},
               {"clipped", number(means.clipped)}});
}

void StepTables::epoch(int64_t epoch, const std::vector<WeightFigures>& layers) {
  if (!s_.statistics) return;
  for (const WeightFigures& layer : layers) {
    layers_->add({{"epoch", std::to_string(epoch)},
                  {"layer", layer.layer},
                  {"bits", std::to_string(layer.bits)},
                  {"step", number(layer.step)},
                  {"error", number(layer.error)},
                  {"max_weight", number(layer.max_weight)},
                  {"oscillating", number(layer.oscillating)},
                  {"clipped", number(layer.clipped)}});
  }
  layers_->write();
}

void StepTables::write() const {
  if (steps_) steps_->write();
}

}  // namespace ntq::apps
