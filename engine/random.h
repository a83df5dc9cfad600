#pragma once
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
// A draw is a pure function of (seed, stream, step, element): the same for any thread count, any backend, after a
// resume.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ntq {

/// The published bijection: ten rounds on a 128-bit counter under a 64-bit key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// Names one sequence of draws. `stream` tells users apart (a tensor, the loader, ...), `step` their moments.
struct RandomKey {
  uint64_t seed = 0;
  uint32_t stream = 0;
  uint32_t step = 0;
};

/// Stream id of a name: its 32-bit FNV-1a hash.
uint32_t stream_id(std::string_view name);

/// The name under which a module draws: its own, or, without one, a name that no other gets. Those are counted per
/// `kind` and seed in the order of calls, so that unnamed modules differ from each other, and the same program gets the
/// same numbers again. The first of a kind and seed stays unnamed. Modules made on several threads need names.
std::string drawing_name(const std::string& name, const std::string& kind, uint64_t seed);

/// Four random words of block `block`; element e of a tensor takes word e % 4 of block e / 4.
std::array<uint32_t, 4> random_block(const RandomKey& key, uint64_t block);

/// 32 random bits for `element`.
uint32_t random_bits(const RandomKey& key, uint64_t element);

/// Uniform integer in [0, bound); bound >= 1. (Multiply-shift; bias below bound / 2^32.)
uint32_t random_below(const RandomKey& key, uint64_t element, uint32_t bound);

/// Uniform in [0, 1) on a 2^-24 grid.
float random_unit(const RandomKey& key, uint64_t element);

}  // namespace ntq
