#pragma once
// ntq-export --format onnx.
#include <optional>
#include <string>

#include "apps/checkpoint.h"
#include "apps/console.h"

namespace ntq::apps {

struct OnnxRequest {
  std::string checkpoint, out;
  std::optional<std::string> dialect, weight_type, data_dir;
  std::optional<int64_t> calibrate, limit_val;  ///< of the dialects that measure ranges
  bool json = false;
};

/// Throws UsageError for options that do not go together, and where this build cannot write ONNX files.
void check_request(const OnnxRequest& request);
/// Writes the file, and says what is in it. `average`: of the weights, that is what `model` has.
void export_onnx(const OnnxRequest& request, RunCheckpoint checkpoint, Module& model, bool average, Console& console);

}  // namespace ntq::apps
