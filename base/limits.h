#pragma once
// What this machine can do at most, measured: loops of independent instructions in registers, and a copy of more than
// the caches hold. Held against kernels, whose time on a shared machine says nothing alone.
#include <string>

namespace ntq {

enum class Limit {
  fma,       ///< fused multiply-adds of float32 (portable: a multiplication and an addition)
  bf16_dot,  ///< dot products of bfloat16 that sum in float32: vdpbf16ps
  byte_dot,  ///< dot products of bytes: vpdpbusd, or without it vpmaddubsw and vpaddw
  copy,      ///< memory read plus memory written
};

/// Billions per second of `threads` threads at once: operations, a multiplication and an addition counting two, or
/// bytes. `isa` is that of the kernels that are held against it, as cpu::chosen_isa() of their list has it; 0: it has
/// no such instruction. The best of many short runs, as the machine may be shared: some 50 ms. A copy needs 128 MiB.
double machine_limit(Limit limit, const std::string& isa, int threads);
/// The same of limit_isa(limit).
double machine_limit(Limit limit, int threads);
/// The instruction set of this process' kernels that are held against a limit: each limit has its list of them.
std::string limit_isa(Limit limit);

}  // namespace ntq
