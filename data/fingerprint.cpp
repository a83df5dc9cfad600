#include "data/fingerprint.h"

namespace ntq {

void Fingerprint::add(int32_t value) {
  uint8_t bytes[4];
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(static_cast<uint32_t>(value) >> (8 * i));
  add(bytes, sizeof bytes);
}

void Fingerprint::add(int64_t value) {
  add(static_cast<int32_t>(static_cast<uint32_t>(value)));
  add(static_cast<int32_t>(static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32)));
}

void Fingerprint::add(const std::string& text) {
  add(static_cast<int64_t>(text.size()));
  add(text.data(), text.size());
}

}  // namespace ntq
