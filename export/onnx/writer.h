#pragma once
// From a deploy graph to an OnnxFile. Internal to onnx.h.
#include <string>
#include <vector>

#include "export/onnx/file.h"
#include "export/onnx/onnx.h"
#include "infer/graph.h"

namespace ntq {

/// A value of the graph in the file: {N,C,H,W}, or {N,C} behind a linear layer.
struct OnnxValue {
  std::string name;
  infer::MapShape shape;
  bool flat = false;
};

/// What a layer with weights reads, as codes or as floats.
struct OnnxInput {
  std::string codes;   ///< uint8 (trt: int8), "" where the layer has none
  std::string values;  ///< float32
  double unit = 1;     ///< what a code counts in `values`
  int zero_point = 0;
};

/// The nodes of one layer's input: QuantizeLinear, Clip, DequantizeLinear; or, where the codes are not those of a step,
/// comparisons with thresholds and a look-up of levels.
OnnxInput layer_input(OnnxBuilder& builder, const infer::Node& node, const std::string& x, int64_t rank,
                      OnnxDialect dialect);

/// What quantize gives, up to what is added: QuantizeLinear and DequantizeLinear; in `exact`, and in `plain` where
/// something is added, operators of floats.
std::string quantizer_output(OnnxBuilder& builder, const infer::Node& node, const std::string& x, int64_t rank,
                             OnnxDialect dialect);
/// A convolution or linear layer, up to its bias; what is added and ReLU are the caller's.
std::string layer_output(OnnxBuilder& builder, const infer::Node& node, const OnnxValue& x, const infer::MapShape& out,
                         const OnnxOptions& options);

/// The whole file. Throws std::invalid_argument for what has no form.
OnnxFile onnx_file(const infer::Graph& graph, const OnnxOptions& options);

}  // namespace ntq
