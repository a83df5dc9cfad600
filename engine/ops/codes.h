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
  /// Kept in training in place of values of this type, by an op: steps that are not a number where a value was not
  /// finite. The gradient of `values` is that of what they stand for.
  std::optional<DType> kept = {};
  /// Of kept ones whose values are in memory anyway: these, with the node of the quantizer behind them. The gradient is
  /// then this one's, and who needs the codes again later holds it, not them.
  Tensor source = {};
};

/// Throws DivergedError, beginning with `who`, for a step that is not finite and positive, an offset or level that is
/// not finite.
void check_grid(const std::string& who, const CodeGrid& grid);
/// The same, and std::invalid_argument for types or shapes that do not go together.
void check_codes(const std::string& who, const Codes& codes);

/// The exact float32 values, on the device of the codes; computed on the host. Of codes that an op has kept: values of
/// the type that it read, on their device, nothing checked or waited for. Not recorded.
Tensor decode(const Codes& codes);
/// step * code, as values of this type.
Tensor decode_kept(const Tensor& codes, const Tensor& step, DType type);

/// What a convolution or a matrix product reads: floats, or codes, which stand for their exact values.
class LayerInput {
 public:
  LayerInput(const Tensor& values) : values_(values) {}                         // NOLINT: either will do
  LayerInput(Codes codes) : values_(codes.values), codes_(std::move(codes)) {}  // NOLINT
  bool is_codes() const { return codes_.has_value(); }
  /// Codes that an op has kept; else null.
  const Codes* kept() const { return codes_ && codes_->kept ? &*codes_ : nullptr; }
  /// The tensor itself, that of the codes, or their source: for its shape, and its gradient.
  const Tensor& tensor() const { return codes_ && codes_->source ? codes_->source : values_; }
  /// The floats, decoded where it is codes.
  Tensor values() const { return codes_ ? decode(*codes_) : values_; }
  /// Of the values.
  DType type() const { return kept() ? *codes_->kept : codes_ ? DType::f32 : values_.dtype(); }

 private:
  Tensor values_;
  std::optional<Codes> codes_;
};

}  // namespace ntq
