#pragma once
// Values that no training leaves behind: a file that holds them is damaged, whatever its checksums say.
#include <string>

#include "engine/module.h"
#include "engine/serialize.h"

namespace ntq {

/// Of a model's tensors by name. Throws CheckpointError naming tensor, element and value: a value that is not finite, a
/// variance below 0, a quantizer's step below 0, or of 0 although the quantizer has been used (its "calls"). A step of
/// 0 is legal before that: the first batch sets it.
void check_values(const NamedTensors& state, const std::string& path);
/// That every float32 value is finite; `prefix` goes before the names in errors.
void check_finite(const NamedTensors& tensors, const std::string& path, const std::string& prefix = "");

/// For the end of an error about a tensor that is missing: which ones the file has, but of a type that cannot be read.
/// Empty when there are none.
std::string skipped_note(const TensorFile& file);

}  // namespace ntq
