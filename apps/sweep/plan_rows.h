#pragma once
// The rows of a plan that the grid makes: equal ones become one.
#include <map>

#include "apps/sweep/plan.h"

namespace ntq::apps {

/// What the label of each row is made of: "lsq noise=0.1" of "lsq" and "noise=0.1".
using RowParts = std::map<std::string, std::vector<std::string>>;

/// Rows of the same cells, as `lsq noise=0.1` and `lsq noise=0.2`, become one of what their names share.
void join_equal_rows(Plan& plan, RowParts& parts);

/// The row that others are compared with: as asked for, else the first of several that is not one of the
/// full-precision networks. Throws UsageError for no row's name.
std::string baseline_of(const std::string& asked, const Plan& plan);

}  // namespace ntq::apps
