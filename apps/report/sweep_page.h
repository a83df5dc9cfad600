#pragma once
// The page of a sweep.
#include <string>

#include "apps/sweep/standing.h"

namespace ntq::apps {

/// Tables, a dot for each seed, accuracy against size and bit operations, Figure 3 of the paper, and a list of the
/// runs. `folder`: where the page will lie, for the links to the runs' own pages.
std::string sweep_page(const SweepFile& file, const Standing& standing, const std::string& folder);

}  // namespace ntq::apps
