#include "apps/sweep/scores.h"

#include <algorithm>
#include <cmath>

#include "apps/json.h"
#include "apps/sweep/cell_analyses.h"
#include "base/input_file.h"

namespace ntq::apps {
namespace {

std::optional<double> number(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_number()) return std::nullopt;
  return json[key].get<double>();
}

/// Nothing is quantized: steps and errors of 0 stand in the file for none.
bool is_full_precision(const Json& json) {
  return json.value("method", Json()) == "fp" ||
         (number(json, "weight_bits") == 32 && number(json, "act_bits") == 32 && !json.contains("bits_of"));
}

}  // namespace

std::optional<Score> score_of(const RunFolder& run) {
  const Json json = parse_json_or_null(read_text_file(run.file("result.json")));
  if (!json.is_object() || !json.contains("last")) return std::nullopt;
  const Json& last = json["last"];
  const bool average = number(last, "ema_val_top1").has_value();
  const auto top1 = number(last, average ? "ema_val_top1" : "val_top1");
  const auto best = number(json, "best_top1");
  if (!top1 || !best) return std::nullopt;
  Score score{.top1 = *top1,
              .best_top1 = *best,
              .best_epoch = static_cast<int64_t>(number(json, "best_epoch").value_or(0)),
              .bytes = number(json, "deployed_bytes"),
              .bops = number(json, "deployed_bops")};
  const auto take = [&](const char* measure, const char* key) {
    if (const auto value = number(last, key)) score.also[measure] = *value;
  };
  take("top5", average ? "ema_val_top5" : "val_top5");
  take("loss", average ? "ema_val_loss" : "val_loss");
  score.also.merge(sharpness_measures(run));
  if (is_full_precision(json)) return score;
  take("mean_step", "mean_step");
  take("mean_error", "mean_error");
  return score;
}

int64_t SweepState::count(CellState state) const {
  return std::count_if(cells.begin(), cells.end(), [&](const CellStatus& cell) { return cell.state == state; });
}

SweepState read_state(const Plan& plan, const std::string& folder, const Journal& journal) {
  SweepState state;
  for (const Cell& cell : plan.cells) {
    state.cells.push_back(status_of(folder, cell, journal));
    const CellStatus& status = state.cells.back();
    state.scores.push_back(status.state == CellState::done ? score_of(*status.run) : std::nullopt);
  }
  return state;
}

Choice choice_of(const SweepFile& file, const Plan& plan, const SweepState& state) {
  if (!file.size) return {};
  std::map<std::vector<std::string>, Json> chosen;
  for (const auto& column : plan.column_values) {
    std::optional<double> wanted;
    std::optional<int64_t> first;
    bool all = true;
    for (const Place& p : plan.places) {
      if (p.column != column) continue;
      const auto& score = state.scores[p.cell];
      if (p.row == file.size->like && !wanted && score) wanted = score->bytes;
      if (p.row != file.size->row) continue;
      if (!first) first = p.seed;
      all = all && (p.seed != *first || (score && score->bytes));
    }
    if (!wanted || !first || !all) continue;
    double nearest = INFINITY;
    for (const Place& p : plan.places) {
      if (p.column != column || p.row != file.size->row || p.seed != *first) continue;
      const double distance = std::abs(*state.scores[p.cell]->bytes - *wanted);
      if (distance < nearest) nearest = distance, chosen[column] = p.option;
    }
  }
  return [chosen](const std::vector<std::string>& column) {
    const auto found = chosen.find(column);
    return found == chosen.end() ? Json() : found->second;
  };
}

std::vector<Place> shown_places(const SweepFile& file, const Plan& plan, const Choice& choice) {
  std::vector<Place> shown;
  for (const Place& p : plan.places) {
    if (!file.size || p.row != file.size->row || choice(p.column) == p.option) shown.push_back(p);
  }
  return shown;
}

}  // namespace ntq::apps
