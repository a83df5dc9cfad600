#include "engine/random.h"

#include <map>
#include <mutex>
#include <utility>

#include "engine/philox.h"

namespace ntq {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int i = 0; i < 10; ++i) philox_round({k[0], k[1]}, i, c[0], c[1], c[2], c[3]);
  return c;
}

uint32_t stream_id(std::string_view name) {
  uint32_t hash = 2166136261u;
  for (const char ch : name) hash = (hash ^ static_cast<unsigned char>(ch)) * 16777619u;
  return hash;
}

std::string drawing_name(const std::string& name, const std::string& kind, uint64_t seed) {
  if (!name.empty()) return name;
  static std::mutex mutex;
  static std::map<std::pair<std::string, uint64_t>, uint64_t> made;
  const std::lock_guard lock(mutex);
  const uint64_t earlier = made[{kind, seed}]++;
  return earlier == 0 ? "" : "(" + kind + " " + std::to_string(earlier + 1) + " without a name)";
}

std::array<uint32_t, 4> random_block(const RandomKey& key, uint64_t block) {
  return philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), key.stream, key.step},
                    {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)});
}

uint32_t random_bits(const RandomKey& key, uint64_t element) { return random_block(key, element / 4)[element % 4]; }

uint32_t random_below(const RandomKey& key, uint64_t element, uint32_t bound) {
  return static_cast<uint32_t>((uint64_t{random_bits(key, element)} * bound) >> 32);
}

float random_unit(const RandomKey& key, uint64_t element) {
  return static_cast<float>(random_bits(key, element) >> 8) * 0x1p-24f;
}

}  // namespace ntq
