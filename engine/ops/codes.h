#pragma once
// Integer codes and what decodes them: how quantized values are kept, passed between layers and exported.
#include "engine/backend/backend.h"
#include "engine/tensor.h"

namespace ntq {

/// value = step * code [+ offset], or levels[code - low].
struct CodeGrid {
  QuantRange range;
  Tensor step = {};    ///< {1}, or {C}: one for each slice of the values' first axis
  Tensor offset = {};  ///< {1}; undefined: 0
  Tensor levels = {};  ///< {high - low + 1}, or {C, high - low + 1}; then there are neither steps nor an offset
};

/// Values of one byte, int8 or uint8, within the grid's range.
struct Codes {
  Tensor values;
  CodeGrid grid;
};

/// Throws std::invalid_argument, beginning with `who`, for types or shapes that do not go together, DivergedError for a
/// step that is not finite and positive, or an offset or level that is not finite.
void check_codes(const std::string& who, const Codes& codes);

/// The exact float32 values. Not recorded: codes have no gradient.
Tensor decode(const Codes& codes);

}  // namespace ntq
