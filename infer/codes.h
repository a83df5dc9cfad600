#pragma once
// Codes of inputs in the general form: what base/integer's grids have no field for. Internal to infer.
#include <cstdint>
#include <vector>

#include "infer/graph.h"

namespace ntq::infer {

/// The byte that stands for a code is code - low.
uint8_t byte_of(const InputCodes& codes, float x);
/// Of n values.
void bytes_of(const InputCodes& codes, const float* x, int64_t n, uint8_t* bytes);
/// What each byte means: fl(its code * unit), or its level; {256}.
std::vector<float> decoded(const InputCodes& codes, float unit);
/// Whether step, low and high are all there is.
inline bool is_plain(const InputCodes& codes) { return codes.thresholds.empty() && codes.offset == 0; }
/// Whether all of them are codes of `bits` bits.
bool fit_bits(const std::vector<int8_t>& codes, int bits);
/// Whether |v| <= most for all of them; no NaN is.
bool all_within(const std::vector<float>& values, float most);
/// Whether the same bytes come of the same values.
bool same_bytes(const InputCodes& a, const InputCodes& b);

}  // namespace ntq::infer
