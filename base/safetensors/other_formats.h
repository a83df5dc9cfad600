#pragma once
// Files that people take for safetensors, known by what they begin with. Internal to base/safetensors.h.
#include <string>
#include <string_view>

namespace ntq::safetensors {

/// Bytes from the front that what_is() looks at.
constexpr size_t kFormatBytes = 4096;

/// What a file that is no safetensors file is, and what to do: "is a PyTorch file (.pth, .pt), ...; ...". Empty when
/// that is not known. `start` holds its first bytes, `path` goes into the advice.
std::string what_is(std::string_view start, const std::string& path);

}  // namespace ntq::safetensors
