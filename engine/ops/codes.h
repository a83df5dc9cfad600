#pragma once
// Integer codes and what decodes them: how quantized values are kept, passed between layers and exported.
#include <optional>
#include <string>
#include <utility>

#include "engine/backend/args.h"
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

/// Throws DivergedError, beginning with `who`, for a step that is not finite and positive, an offset or level that is
/// not finite.
void check_grid(const std::string& who, const CodeGrid& grid);
/// The same, and std::invalid_argument for types or shapes that do not go together.
void check_codes(const std::string& who, const Codes& codes);

/// The exact float32 values, on the device of the codes; computed on the host. Not recorded: codes have no gradient.
Tensor decode(const Codes& codes);

/// What a convolution or a matrix product reads: floats, or codes, which stand for their exact values.
class LayerInput {
 public:
  LayerInput(const Tensor& values) : values_(values) {}                         // NOLINT: either will do
  LayerInput(Codes codes) : values_(codes.values), codes_(std::move(codes)) {}  // NOLINT
  bool is_codes() const { return codes_.has_value(); }
  /// The tensor itself, or that of the codes: for its shape.
  const Tensor& tensor() const { return values_; }
  /// The floats, decoded where it is codes.
  Tensor values() const { return codes_ ? decode(*codes_) : values_; }

 private:
  Tensor values_;
  std::optional<Codes> codes_;
};

}  // namespace ntq
