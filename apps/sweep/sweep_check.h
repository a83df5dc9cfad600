#pragma once
// What the parts of a sweep file have to say to one another: conditions that can hold, columns that there are.
#include <string>
#include <vector>

#include "apps/sweep/sweep_file.h"

namespace ntq::apps {

/// The options that stand in columns: as said, else those of model, data set and widths that vary in the grid.
std::vector<std::string> columns_of(const SweepFile& file);

/// Whether a cell of `row` with these options has all values of a condition; settings of the method one by one.
bool holds(const Json& condition, const std::string& row, const Json& options);

/// Throws UsageError for a condition on an option that nothing sets: it would never hold.
void check_condition_keys(const SweepFile& file);

/// Of a file as it is written, before a command line narrows it. Throws UsageError for a condition on a value that no
/// cell has, and for a column of the paper's that the table does not have.
void check_as_written(const SweepFile& file);

}  // namespace ntq::apps
