#pragma once
// Convolutions as calls of the list.
#include "tests/engine/backend_list/list.h"

namespace ntq::test {

/// Images of size x (size + 1).
ConvGeometry conv_geometry(int64_t n, int64_t size, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                           int64_t pad);
/// "2x7x8, 16 -> 32 channels, 3x3, stride 1"
std::string sizes_of(const ConvGeometry& g);
/// Those of the list.
const std::vector<ConvGeometry>& conv_geometries();
/// Forward, data gradient and filter gradient; what decides is not said.
BackendCases conv_calls(const ConvGeometry& g);
/// The same in bfloat16, and with codes as input, of values whose sums are rounded.
BackendCases conv_calls_bf16(const ConvGeometry& g);

}  // namespace ntq::test
