#pragma once
// ntq-export --format onnx.
#include <optional>
#include <string>

#include "apps/config.h"
#include "apps/console.h"
#include "export/lower.h"

namespace ntq::apps {

struct OnnxRequest {
  std::string network, out;  ///< a checkpoint or a .ntqi
  std::optional<std::string> dialect, weight_type, data_dir;
  std::optional<int64_t> calibrate, limit_val;  ///< of the dialects that measure ranges
  bool json = false;
};

/// Throws UsageError for options that do not go together, and where this build cannot write ONNX files.
void check_request(const OnnxRequest& request);
/// Writes the file, and says what is in it. `recipe`: of the data set, for the dialects that measure.
void export_onnx(const OnnxRequest& request, const Lowered& lowered, const TrainConfig& recipe, Console& console);

}  // namespace ntq::apps
