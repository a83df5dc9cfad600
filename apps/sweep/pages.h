#pragma once
// A sweep's table as people read it: on the console, as Markdown; in report/sweep_page.h as one HTML page.
#include <string>
#include <vector>

#include "apps/sweep/table.h"

namespace ntq::apps {

struct PageCell {
  std::string text;
  bool best = false, equal = false;
};
struct PageTable {
  std::string title;
  std::vector<std::vector<PageCell>> rows;  ///< the first is the heading
};

/// What is shown, the same for all forms. For each value of all column options but the last: top-1 of the last
/// epoch with the paper's beside it, the paired differences to the baseline, what else is asked for, the best
/// epoch, and the size of the networks.
std::vector<PageTable> page_tables(const SweepTable& table);

std::string console_page(const SweepTable& table);
std::string markdown_page(const SweepTable& table);

}  // namespace ntq::apps
