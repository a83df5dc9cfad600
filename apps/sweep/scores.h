#pragma once
// What the runs of a sweep came to, from their result.json.
#include <map>
#include <optional>
#include <vector>

#include "apps/sweep/cell_state.h"
#include "apps/sweep/plan.h"
#include "apps/sweep/statistics.h"

namespace ntq::apps {

/// Percent; of the average of the weights where the run kept one.
struct Score {
  double top1 = 0;       ///< of the last epoch
  double best_top1 = 0;  ///< of the epoch that the validation images chose
  int64_t best_epoch = 0;
  std::map<std::string, double> also = {};  ///< by measure, those that the run has
  std::optional<double> bytes = {};         ///< of the network as it is deployed; older releases did not say
  std::optional<double> bops = {};          ///< bit operations of an image; likewise
};

/// Of a finished run; nothing where the file does not say it.
std::optional<Score> score_of(const RunFolder& run);

/// The state of each cell, and the scores of those that are done.
struct SweepState {
  std::vector<CellStatus> cells;
  std::vector<std::optional<Score>> scores;
  int64_t count(CellState state) const;
};
SweepState read_state(const Plan& plan, const std::string& folder, const Journal& journal);

/// What chooses an option of rows that match another one in size: of the values tried in that column at the first seed,
/// that whose network is nearest in size; null while one of them, or the row that is matched, is not done.
Choice choice_of(const SweepFile& file, const Plan& plan, const SweepState& state);
/// The same, as the places of that row that the table shows: those of a value that was not chosen are left out.
std::vector<Place> shown_places(const SweepFile& file, const Plan& plan, const Choice& choice);

}  // namespace ntq::apps
