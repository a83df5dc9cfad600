#pragma once
// A layer's weights as ONNX has them. Internal to onnx.h.
#include <string>
#include <vector>

#include "export/onnx/file.h"
#include "export/onnx/onnx.h"
#include "infer/graph.h"

namespace ntq {

/// Codes {Cout,Cin,Kh,Kw}, or {Cout,K} of a linear layer, K in the order {C,H,W} of its input.
struct OnnxCodes {
  OnnxType type = OnnxType::i8;
  std::vector<int8_t> codes;
  std::vector<float> scales;  ///< {Cout}: weight = scale * code, or of halves h other than 0 scale * (2 code + h)
};

/// int2, int4 or int8: the narrowest from `narrowest` on that has room for `bits`.
OnnxType stored_type(int bits, OnnxWeights narrowest);
/// The same of a layer's weights. Those with halves have a narrow type only where no channel is all 0: no code is.
OnnxType stored_type(const infer::Node& node, OnnxWeights narrowest);

/// A layer whose codes ONNX can store: int8 holds what they count, or they have a narrower type and their halves. Where
/// neither is so, a weight is factor * code + beside, the latter for a convolution of its own.
struct OnnxLayer {
  infer::Node node;  ///< scale: of what the weights counted
  int factor = 1, beside = 0;
};
OnnxLayer onnx_layer(infer::Node node, OnnxWeights narrowest);

/// Codes of the node's weights, so that (code of the input) * unit * (these weights) is its scaled sum. A negative
/// scale goes into the codes, unless one of the channel's would leave the type's range then. Channels whose scale is no
/// normal number have codes 0, and a scale in whose unit the bias is a round number: runtimes keep it as int32.
/// With `spread` codes are multiplied by the largest power of two that there is room for, and scales divided: the same
/// products, but ONNX Runtime's biases, in units of the scale, lose less.
OnnxCodes onnx_codes(const infer::Node& node, const infer::MapShape& input, double unit, OnnxType type,
                     bool spread = false);
/// The values that they mean, times scale / unit with `scaled`, in the same order; of layers without integer weights
/// too.
std::vector<float> onnx_values(const infer::Node& node, const infer::MapShape& input, double unit, bool scaled);
/// Codes of one byte each, without scales or signs, in the same order.
std::vector<int8_t> onnx_plain_codes(const infer::Node& node, const infer::MapShape& input);

/// {Cout,Cin,Kh,Kw} or {Cout,K}.
std::vector<int64_t> onnx_weight_dims(const infer::Node& node);
/// Bytes of the type, int4 and int2 packed.
std::string pack(const std::vector<int8_t>& codes, OnnxType type);

}  // namespace ntq
