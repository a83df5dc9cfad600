#pragma once
// Quantization in training of which only the codes are kept: a byte in place of a value, for the layer that reads it.
// Gradients are those of quantize() (ops/quantize.h); what they need is computed again.
#include "engine/autograd.h"
#include "engine/backend/backend.h"
#include "engine/ops/codes.h"

namespace ntq {

/// A quantizer that gives step * code [+ noise] and nothing more: quantize(x, step, args).
struct PlainSteps {
  Tensor step;  ///< {1}, or {C}: one for each slice of a weight's first axis
  QuantizeArgs args;
};

/// Whether the device's products read codes beside values; others are given what these stand for.
bool reads_codes(const Backend& backend);

/// Whether codes can be kept of `x`, or of what is made of it with these steps: there is no noise, something is
/// recorded, no graph is, and the device has the primitives.
bool keeps_codes(const Tensor& x, const PlainSteps& steps);

/// The codes of quantize(x, step, args), which stand for its values. Backward reads x again: a graph keeps that, and no
/// codes. Where x is not finite, the codes' step is not a number.
Codes quantize_kept(const Tensor& x, const PlainSteps& steps);

/// What a quantizer leaves to the gradient of the op behind its values (Node::codes), where these have other readers.
struct CodesGradient {
  Tensor values, dy;  ///< what was quantized; the gradient of the codes; undefined where nothing was left
  PlainSteps steps;   ///< the gradient of whose step is then the last one of that op
};

/// For ops: codes and a step without values, to be written. Throws std::invalid_argument, beginning with `op`.
Codes new_kept_codes(const char* op, const Tensor& x, const PlainSteps& steps);

}  // namespace ntq
