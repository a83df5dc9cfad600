#pragma once
// Settings and figures of the CPU backend.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace ntq {

/// Threads that the CPU backend uses from now on (>= 1). Results do not depend on it.
void set_cpu_threads(int threads);
int cpu_threads();
/// Calls task(0) ... task(tasks - 1) on those threads, each once, in any order; returns when all are done. Throws what
/// the first task that throws has thrown.
void on_cpu_threads(int64_t tasks, const std::function<void(int64_t)>& task);
/// The instruction set of the chosen kernels: "portable", "avx2" or "avx512".
std::string cpu_isa();
/// Bytes that the CPU allocator has taken from the system, and the largest amount ever in use by tensors.
struct MemoryUse {
  size_t reserved = 0, in_use = 0, peak = 0;
  uint64_t system_allocations = 0;
};
MemoryUse cpu_memory();
/// Gives back to the system what the allocator keeps for tensors to come: between parts of a program whose tensors have
/// other sizes.
void give_back_cpu_memory();

}  // namespace ntq
