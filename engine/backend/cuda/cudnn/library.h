#pragma once
// Whether cuDNN's library can be used as it is installed.
#include <cstddef>
#include <functional>
#include <string>

namespace ntq::cudnn {

/// Why cuDNN of this version (as cudnnGetVersion() counts) cannot be used, where `opens` tells whether one of the
/// libraries is there that it loads on its own; "" where it can. In one line, with what to do.
std::string why_unusable(size_t version, const std::function<bool(const std::string&)>& opens);

/// Throws Error where the cuDNN of this process cannot be used. cuDNN itself ends a process that lacks a part of it.
void require_library();

}  // namespace ntq::cudnn
