#pragma once
// A sweep for programs: CSV, a line for each run, and JSON.
#include <string>

#include "apps/sweep/table.h"

namespace ntq::apps {

const char* state_text(CellState state);

/// Row, a column for each column option, seed, state, the last epoch, the best, size, the paper's value, seconds, the
/// run's folder, and the error of those that failed.
std::string csv_text(const Plan& plan, const std::vector<Place>& places, const SweepTable& table,
                     const SweepState& state, const Journal& journal);
/// {"title", "rows": [{"row", "column", "n", "mean", ...}], "cells": [{"name", "state", ...}], "done", "open",
/// "failed"}
Json sweep_json(const Plan& plan, const SweepTable& table, const SweepState& state, const Journal& journal);

}  // namespace ntq::apps
