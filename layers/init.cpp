#include "layers/init.h"

#include <cmath>
#include <numbers>

namespace ntq {
namespace {

// Uniform in (0, 1): the half keeps the logarithm finite.
double open_unit(uint32_t bits) { return (static_cast<double>(bits) + 0.5) * 0x1p-32; }

// Box-Muller: four words of a block give four normal values.
std::array<double, 4> normal_block(const RandomKey& key, uint64_t block) {
  const auto words = random_block(key, block);
  std::array<double, 4> out{};
  for (size_t pair = 0; pair < 4; pair += 2) {
    const double radius = std::sqrt(-2.0 * std::log(open_unit(words[pair])));
    const double angle = 2.0 * std::numbers::pi * open_unit(words[pair + 1]);
    out[pair] = radius * std::cos(angle);
    out[pair + 1] = radius * std::sin(angle);
  }
  return out;
}

}  // namespace

Tensor normal_values(const Shape& shape, double std, const RandomKey& key) {
  Tensor out = Tensor::empty(shape);
  float* values = out.f32();
  std::array<double, 4> block{};
  for (uint64_t i = 0; i < static_cast<uint64_t>(out.numel()); ++i) {
    if (i % 4 == 0) block = normal_block(key, i / 4);
    values[i] = static_cast<float>(std * block[i % 4]);
  }
  return out;
}

Tensor uniform_values(const Shape& shape, double bound, const RandomKey& key) {
  Tensor out = Tensor::empty(shape);
  float* values = out.f32();
  for (uint64_t i = 0; i < static_cast<uint64_t>(out.numel()); ++i)
    values[i] = static_cast<float>(bound * (2.0 * static_cast<double>(random_unit(key, i)) - 1.0));
  return out;
}

Tensor he_normal_filters(const Shape& shape, const RandomKey& key) {
  check(shape.rank() == 4, "he_normal_filters: needs {Cout,Kh,Kw,Cin}, found ", shape);
  const auto fan_out = static_cast<double>(shape[0] * shape[1] * shape[2]);
  return normal_values(shape, std::sqrt(2.0 / fan_out), key);
}

RandomKey init_key(uint64_t seed, const std::string& tensor_name) {
  return {.seed = seed, .stream = stream_id(tensor_name), .step = 0};
}

}  // namespace ntq
