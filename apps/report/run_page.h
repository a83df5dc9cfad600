#pragma once
// The page of a run, and its sections.
#include "apps/report/chart.h"
#include "apps/report/facts.h"
#include "apps/report/page.h"

namespace ntq::apps {

std::string run_page(const RunFacts& facts);

/// Each adds what there is; nothing of what there is not.
void add_curves(Page& page, const RunFacts& facts);
void add_quantization_curves(Page& page, const RunFacts& facts);
void add_layers(Page& page, const RunFacts& facts);
void add_surroundings(Page& page, const RunFacts& facts);
void add_paper_figures(Page& page, const RunFacts& facts);

/// What an analysis is of: "last.bin, epoch 3, 10000 validation images".
std::string source_of(const Json& analysis);

/// Figure 3 of the NTQ paper: `values`, of the steps `steps`, smoothed by m <- d m + (1 - d) x with d = 0.999 a step
/// and divided by 1 - d^t.
Points smoothed(const std::vector<double>& steps, const std::vector<double>& values, double decay = 0.999);

}  // namespace ntq::apps
