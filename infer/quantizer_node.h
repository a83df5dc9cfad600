#pragma once
// A quantizer of values that no convolution or linear layer reads, as a node of the graph: a 1x1 convolution by the
// identity.
#include <string>

#include "infer/graph.h"

namespace ntq::infer {

/// y = step * code(x), of `channels` channels; with an offset that too.
Node quantizer_node(const std::string& name, int input, int64_t channels, const InputCodes& codes);

/// Whether a node quantizes by an even step with zero among its codes and does nothing else but perhaps add and clip
/// behind it: QuantizeLinear and DequantizeLinear.
bool is_quantizer(const Node& node);

}  // namespace ntq::infer
