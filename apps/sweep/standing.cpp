#include "apps/sweep/standing.h"

namespace ntq::apps {

Standing stand(const SweepFile& file, const std::string& folder, int64_t most_cells, const Journal& journal) {
  Standing s{.plan = make_plan(file, most_cells), .choice = {}, .state = {}};
  s.state = read_state(s.plan, folder, journal);
  if (!file.size) return s;
  s.choice = choice_of(file, s.plan, s.state);
  s.plan = make_plan(file, most_cells, s.choice);
  s.state = read_state(s.plan, folder, journal);
  return s;
}

SweepTable table_of(const SweepFile& file, const Standing& s) {
  return make_table(file, s.plan, shown_places(file, s.plan, s.choice), s.state);
}

}  // namespace ntq::apps
