#pragma once
// 8-bit quantizers on residual sums, which runtimes want before they compute them in integers, but training had none.
#include <functional>

#include "export/onnx/onnx.h"
#include "infer/graph.h"

namespace ntq {

/// The largest logit of a graph over the images that ranges are taken from.
using LargestLogit = std::function<float(const infer::Graph&)>;

/// The graph with such quantizers, as it can be run to see what they change. `ort`: on every value that anything but an
/// integer layer reads, so on both sides of a sum and behind it. `trt`: on the shortcut only. The range of each
/// is what `largest` sees of the value: unsigned where nothing is negative, else symmetric. Takes some runs of the
/// graph for each. Throws std::invalid_argument for layers in floats, for images that are not square, and for other
/// dialects. Quantizers that training had (--skip-bits) stay as they are, so that nothing changes where it had them
/// all.
infer::Graph quantize_skips(const infer::Graph& graph, OnnxDialect dialect, const LargestLogit& largest);

}  // namespace ntq
