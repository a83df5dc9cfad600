#pragma once
// The product that conv2d and linear share. For ops.
#include "engine/autograd.h"
#include "engine/backend/args.h"
#include "engine/ops/codes.h"

namespace ntq {

/// x and float32 w of the sizes in `g` -> y of shape `out` and x's type, recorded as `op`. Throws std::invalid_argument
/// for more than 2^60 products: sizes of patches and packed filters would overflow.
Tensor conv_product(const OpInfo& op, const ConvGeometry& g, const LayerInput& x, const LayerInput& w,
                    std::initializer_list<int64_t> out);

}  // namespace ntq
