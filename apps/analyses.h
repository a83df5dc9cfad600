#pragma once
// What ntq-analyze does with an opened subject: each analysis of analyze/ as tables and JSON.
#include "apps/analyze_options.h"
#include "apps/eval_subject.h"
#include "apps/json.h"

namespace ntq::apps {

struct Answer {
  std::string text;                       ///< tables
  std::vector<std::string> remarks = {};  ///< a line each, behind them
  Json json = Json::object();             ///< what is the analysis's own
};

/// What an analysis works on.
struct AnalysisInput {
  const AnalyzeOptions& options;
  Subject& subject;
  DataLoader& loader;  ///< in order; of `noise` that of training
  PassHook hook;
};

/// How often an analysis goes over the loader, at most; `noise`: once, by its own count.
int64_t most_passes(const AnalyzeOptions& options, Module& model);

Answer answer_sharpness(const AnalysisInput& input);
Answer answer_landscape(const AnalysisInput& input);
Answer answer_hessian(const AnalysisInput& input);
Answer answer_sensitivity(const AnalysisInput& input);
Answer answer_noise(const AnalysisInput& input);
Answer answer_histograms(const AnalysisInput& input);

}  // namespace ntq::apps
