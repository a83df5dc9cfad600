#pragma once
// Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011), for one counter and for loops
// over many. Internal linkage: kernels compile it once per instruction set.
#include <cstdint>

namespace ntq {
namespace {

struct PhiloxKey {
  uint32_t k0, k1;
};

/// Rounds i = 0 to 9 of one counter.
[[maybe_unused]] constexpr void philox_round(PhiloxKey key, int i, uint32_t& c0, uint32_t& c1, uint32_t& c2,
                                             uint32_t& c3) {
  const uint64_t a = uint64_t{0xD2511F53u} * c0, b = uint64_t{0xCD9E8D57u} * c2;
  c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ (key.k0 + static_cast<uint32_t>(i) * 0x9E3779B9u);
  c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ (key.k1 + static_cast<uint32_t>(i) * 0xBB67AE85u);
  c1 = static_cast<uint32_t>(b);
  c3 = static_cast<uint32_t>(a);
}

}  // namespace
}  // namespace ntq
