#pragma once
// From a trained network to the deploy graph (infer/graph.h), by what it does in one recorded forward pass: a fork's
// own modules are lowered without a second description.
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/module.h"
#include "infer/graph.h"

namespace ntq {

/// What a network does cannot be said as a deploy graph. One line: which op, of which layer. Exit code 2.
struct CannotDeploy : Error {
  explicit CannotDeploy(const std::string& message) : Error(message, 2) {}
};

/// A layer that computes with floats, and why.
struct FloatLayer {
  std::string name, why;
};

struct Lowered {
  infer::Graph graph;  ///< without preprocessing, classes and notes
  std::vector<FloatLayer> float_layers;
  /// Convolutions and linear layers whose sums are of integers.
  int integer_layers() const;
};

/// What `model` computes in evaluation of images {N,H,W,C} of this shape. Batch norm goes into scale and bias of the
/// layer before it: scale[c] = step_x step_w gamma / sqrt(var + eps), bias[c] = beta - mean gamma / sqrt(var + eps), in
/// float64, rounded once. Codes are those of Quantizer::encode(), so there is no noise in them, whatever mode the model
/// is in; the model stays as it is. Throws CannotDeploy; std::invalid_argument while a quantizer is not ready.
Lowered lower(Module& model, const infer::MapShape& image);

/// "20 layers in integers", "18 of 20 layers in integers", "20 layers in floats".
std::string arithmetic_text(const infer::Graph& graph);
/// With the first float layers "18 of 20 layers in integers; in floats: conv1 (why), fc (why)".
std::string lowering_text(const Lowered& lowered);

}  // namespace ntq
