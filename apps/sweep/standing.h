#pragma once
// What is known of a sweep at a moment: the plan with what has been chosen so far, and how far it has come.
#include "apps/sweep/table.h"

namespace ntq::apps {

struct Standing {
  Plan plan;
  Choice choice;
  SweepState state;
};

/// Throws UsageError as make_plan() does.
Standing stand(const SweepFile& file, const std::string& folder, int64_t most_cells, const Journal& journal);

SweepTable table_of(const SweepFile& file, const Standing& standing);

}  // namespace ntq::apps
