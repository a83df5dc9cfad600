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

namespace {

/// Two's complement of the low `bits` bits.
int8_t signed_code(unsigned value, int bits) {
  const unsigned sign = 1u << (bits - 1);
  return static_cast<int8_t>(static_cast<int>((value & (2 * sign - 1)) ^ sign) - static_cast<int>(sign));
}

/// Widths that divide a byte: loops that compilers make vectors of.
template <int kBits>
void unpack_bytes(const uint8_t* packed, size_t bytes, int8_t* codes) {
  constexpr size_t kEach = 8 / kBits;
  for (size_t i = 0; i < bytes; ++i) {
    for (size_t k = 0; k < kEach; ++k)
      codes[i * kEach + k] =
          static_cast<int8_t>(static_cast<int8_t>(packed[i] << (8 - kBits - kBits * k)) >> (8 - kBits));
  }
}

/// From code `first`, which begins a byte, on: eight codes take `bits` whole bytes.
void unpack_words(const uint8_t* packed, size_t first, int bits, std::vector<int8_t>& codes) {
  const auto width = static_cast<size_t>(bits);
  packed += first * width / 8;
  for (size_t i = first; i < codes.size(); i += 8, packed += bits) {
    const size_t many = std::min<size_t>(8, codes.size() - i);
    uint64_t word = 0;
    std::memcpy(&word, packed, (many * width + 7) / 8);
    for (size_t k = 0; k < many; ++k, word >>= bits) codes[i + k] = signed_code(static_cast<unsigned>(word), bits);
  }
}

}  // namespace

std::vector<int8_t> unpack_codes(const uint8_t* packed, int64_t count, int bits) {
  std::vector<int8_t> codes(static_cast<size_t>(count));
  const size_t eights = codes.size() / 8 * 8, bytes = eights * static_cast<size_t>(bits) / 8;
  if (bits == 2) unpack_bytes<2>(packed, bytes, codes.data());
  if (bits == 4) unpack_bytes<4>(packed, bytes, codes.data());
  if (bits == 8) unpack_bytes<8>(packed, bytes, codes.data());
  unpack_words(packed, bits == 2 || bits == 4 || bits == 8 ? eights : 0, bits, codes);
  return codes;
}

}  // namespace ntq::infer
