#pragma once
// ONNX files of a deploy graph, of standard operators alone, for other people's runtimes. Input "image" {N,C,H,W}:
// float32, normalised; output "logits" {N,classes}. Mean, deviation, crop and class names stand in the metadata.
//
// Codes of activations are uint8; codes of fewer bits are clipped behind QuantizeLinear, on uint8: before it, ONNX
// Runtime fuses nothing. Weights are codes with a scale per output channel that has the batch norm in it; its sign goes
// into the codes, where all of a channel's fit with the other sign. What has no integer form is float32.
#include <string>

#include "infer/graph.h"

namespace ntq {

enum class OnnxDialect {
  plain,  ///< the training graph: quantized layers, float32 sums of residuals. OpenVINO fuses all of it
  exact,  ///< ConvInteger and float32 as infer/graph.h has it: for checking a runtime, slow
  ort,    ///< for a graph of quantize_skips(): int32 biases, all of which ONNX Runtime fuses
  trt,    ///< int8 without zero points, clipped before QuantizeLinear: TensorRT's form, not tried on TensorRT
};

/// The narrowest type that weights are stored in: layers take the narrowest of int2, int4, int8 from there on that has
/// room for their bits. int4 files are opset 21 and int2 files opset 25, others opset 13.
enum class OnnxWeights { int8, int4, int2 };

struct OnnxOptions {
  OnnxDialect dialect = OnnxDialect::plain;
  OnnxWeights weights = OnnxWeights::int8;
};

/// "plain", "int4". Throws std::invalid_argument for other names, with what there is.
OnnxDialect parse_onnx_dialect(const std::string& name);
OnnxWeights parse_onnx_weights(const std::string& name);
const char* onnx_dialect_name(OnnxDialect dialect);

/// What this build lacks to write ONNX files, with the packages to install; "" when it lacks nothing.
std::string onnx_missing();

/// The bytes of the file; the same for the same graph. Throws std::invalid_argument in one line for what the dialect or
/// the type of the weights has no form for, and where onnx_missing(); CheckpointError as infer::check_graph does.
std::string onnx_bytes(const infer::Graph& graph, const OnnxOptions& options = {});

}  // namespace ntq
