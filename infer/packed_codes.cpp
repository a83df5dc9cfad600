#include <algorithm>
#include <cstring>

#include "base/ceil_div.h"
#include "infer/ntqi.h"

namespace ntq::infer {

std::vector<uint8_t> pack_codes(const std::vector<int8_t>& codes, int bits) {
  std::vector<uint8_t> packed(static_cast<size_t>(ceil_div(static_cast<int64_t>(codes.size()) * bits, 8)));
  const unsigned mask = (1u << bits) - 1;
  size_t bit = 0;
  for (const int8_t code : codes) {
    const unsigned value = (static_cast<unsigned>(code) & mask) << bit % 8;
    packed[bit / 8] = static_cast<uint8_t>(packed[bit / 8] | value);
    if (value > 255) packed[bit / 8 + 1] = static_cast<uint8_t>(packed[bit / 8 + 1] | value >> 8);
    bit += static_cast<size_t>(bits);
  }
  return packed;
}

std::vector<int8_t> unpack_codes(const uint8_t* packed, int64_t count, int bits) {
  std::vector<int8_t> codes(static_cast<size_t>(count));
  // Eight codes take `bits` whole bytes.
  const unsigned mask = (1u << bits) - 1, sign = 1u << (bits - 1);
  const auto width = static_cast<size_t>(bits);
  for (size_t i = 0; i < codes.size(); i += 8, packed += bits) {
    const size_t many = std::min<size_t>(8, codes.size() - i);
    uint64_t word = 0;
    std::memcpy(&word, packed, (many * width + 7) / 8);
    for (size_t k = 0; k < many; ++k, word >>= bits) {
      const unsigned value = static_cast<unsigned>(word) & mask;
      codes[i + k] = static_cast<int8_t>(static_cast<int>(value ^ sign) - static_cast<int>(sign));
    }
  }
  return codes;
}

}  // namespace ntq::infer
