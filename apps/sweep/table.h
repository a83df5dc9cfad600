#pragma once
// The table of a sweep: what the seeds of each row and column came to, beside the baseline and the paper.
#include <optional>
#include <string>
#include <vector>

#include "apps/sweep/scores.h"

namespace ntq::apps {

/// A row in a column.
struct Entry {
  size_t cells = 0;                              ///< that it has, done or not
  BySeed top1, best_top1, bytes, bops;           ///< of those that are done
  std::map<std::string, BySeed> also = {};       ///< by measure
  std::optional<PairedDifference> against = {};  ///< the baseline, in top-1; none in its own row, nor without a pair
  std::map<std::string, double> paper = {};      ///< by measure, "top1" among them
  bool best = false;                             ///< the highest mean of its column
  bool equal = false;                            ///< not the best, but the paired interval of the two holds 0
};

struct SweepTable {
  std::string title;
  std::vector<std::string> notes;
  std::string baseline;                                 ///< "": none
  std::vector<std::string> also;                        ///< measures to be shown
  std::vector<std::string> columns;                     ///< option names
  std::vector<std::vector<std::string>> column_values;  ///< each a value for every name
  std::vector<std::string> rows;                        ///< those of the paper alone come last
  std::vector<std::vector<Entry>> entries;              ///< [row][column]
};

SweepTable make_table(const SweepFile& file, const Plan& plan, const std::vector<Place>& places,
                      const SweepState& state);

/// Columns that share all values but the last one, in their order.
std::vector<std::vector<size_t>> column_groups(const SweepTable& table);

/// "resnet18, cifar100, 4 bits", from the options and values of a column, or the first `count` of them.
std::string column_text(const SweepTable& table, size_t column, size_t first, size_t count);

}  // namespace ntq::apps
