#pragma once
// What this machine can do at most with bytes: a loop of independent dot products in registers, in the instruction set
// of the kernels that are held against it.
#include <string>

namespace ntq::integer {

/// Billions of operations per second of one thread, a multiplication and an addition counting two: vpdpbusd, or without
/// it vpmaddubsw and vpaddw; 0 where there is no such loop (portable). The best of many short runs, as the machine may
/// be shared: some 50 ms.
double dot_limit_gops(const std::string& isa);

}  // namespace ntq::integer
