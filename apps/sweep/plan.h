#pragma once
// From what a sweep asks for to its trainings: the product of the grid, equal cells once, and where each stands in the
// table.
#include <functional>

#include "apps/sweep/cell.h"
#include "apps/sweep/sweep_file.h"

namespace ntq::apps {

/// Where the result of a cell is shown.
struct Place {
  std::string row;
  std::vector<std::string> column;  ///< a value for each of Plan::columns
  int64_t seed = 0;
  size_t cell = 0;
  Json option = {};  ///< of rows that try several (SizeMatch): which
};

struct Plan {
  std::vector<Cell> cells;  ///< in the order in which they are trained; a start before those that need it
  std::vector<Place> places;
  std::vector<std::string> rows;
  std::vector<std::string> full_precision;              ///< those of them that are the networks others start from
  std::vector<std::string> columns;                     ///< option names
  std::vector<std::vector<std::string>> column_values;  ///< those that there are, in the grid's order
  std::string baseline;                                 ///< a row, or "" where none is to be compared
};

/// For a column: the value of SizeMatch::option that has been chosen; null while that is not known.
using Choice = std::function<Json(const std::vector<std::string>& column)>;

/// Seeds are the outermost loop, then the grid's options as they stand, then the rows. Every cell is validated as
/// ntq-train does it. Throws UsageError: a wrong option or value, naming the cell; more than `most` cells; a baseline
/// or a condition that names no row, or an option that nothing sets.
Plan make_plan(const SweepFile& file, int64_t most, const Choice& choice = {});

/// "4 bits", "W2", "resnet18", "noise=0.2".
std::string value_text(const std::string& option, const std::string& value);

}  // namespace ntq::apps
