#pragma once
// What is known of a run: all that its folder holds, read for its page. No data set is needed.
#include <map>
#include <optional>

#include "analyze/cost.h"
#include "analyze/histograms.h"
#include "apps/json.h"
#include "apps/report/csv.h"
#include "apps/run_folder.h"
#include "train/layer_report.h"

namespace ntq::apps {

/// A checkpoint's network: of the average of its weights, where it has one.
struct NetworkFacts {
  std::string file;  ///< its name in the folder
  int64_t epoch = 0, parameters = 0;
  double bytes = 0;  ///< as deployed
  std::vector<LayerReport> layers;
  std::vector<LayerHistogram> histograms;  ///< of the same layers; none before the quantizers have steps
  std::vector<LayerCost> costs;            ///< in the order of computation
  double bops() const;
};

/// The analyses that a page shows, each from <name>.json beside the run: what `ntq-analyze --json` prints.
inline constexpr const char* kShownAnalyses[] = {"histograms", "sensitivity", "sharpness",
                                                 "landscape",  "hessian",     "noise"};

struct RunFacts {
  std::string name;                  ///< of the run, or of the checkpoint
  std::optional<TrainConfig> given;  ///< options as asked for
  Json result;                       ///< result.json; null before the end
  CsvTable epochs, steps, layers;    ///< metrics.csv, steps.csv, layers.csv
  std::optional<NetworkFacts> network;
  std::map<std::string, Json> analyses;
  std::map<std::string, std::string> of_another = {};  ///< analyses that lie there of another checkpoint: a line each
  std::string start_block;                             ///< the log's: device, data, settings
  bool has_folder = true;                              ///< false: a checkpoint that lies alone
  std::vector<std::string> problems = {};
};

/// Of a run folder, with the network of last.bin. What is damaged is told in `problems`; throws CheckpointError when
/// nothing is left to tell.
RunFacts run_facts(const RunFolder& run);
/// Of a checkpoint of ntq-train, with all that its run folder says if it lies in one.
RunFacts checkpoint_facts(const std::string& path);

/// A number of an object; NaN where there is none. A list of it; empty where there is none.
double number_at(const Json& json, const char* key);
const Json& list_at(const Json& json, const char* key);
std::vector<double> numbers_of(const Json& list);

/// Parts of 10: "41.7 G", "644.6 M".
std::string magnitude_text(double value);

}  // namespace ntq::apps
