#pragma once
// What the suites of serialize share: a small file.
#include <cstring>

#include "engine/serialize.h"
#include "tests/support/files.h"
#include "tests/support/safetensors.h"
#include "tests/support/text.h"

namespace ntq::test {

/// Names, types, shapes and bytes alike, and the metadata.
inline bool same_file(const TensorFile& a, const TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    const auto& [name, x] = a.tensors[i];
    const auto& [other_name, y] = b.tensors[i];
    if (name != other_name || x.dtype() != y.dtype() || !(x.shape() == y.shape())) return false;
    if (x.bytes() > 0 && std::memcmp(x.raw(), y.raw(), x.bytes()) != 0) return false;
  }
  return true;
}

template <class T>
Tensor values(const Shape& shape, std::initializer_list<T> list) {
  return Tensor::from(shape, std::span<const T>(list.begin(), list.size()));
}

/// Narrow elements first, so that the order in the header and that of the data differ.
inline TensorFile small_file() {
  Tensor half = Tensor::empty({2}, DType::f16);
  const uint16_t bits[] = {0x3c00, 0xc000};  // 1, -2
  std::memcpy(half.raw(), bits, sizeof bits);
  return {{{"model", "resnet20 \"\u00fc\""}, {"epoch", "3"}},
          {{"codes", values<uint8_t>({3}, {1, 2, 255})},
           {"conv1.weight", Tensor::from({2, 2}, {-.5f, .25f, 1, 3})},
           {"steps", values<int64_t>(Shape(), {-5})},
           {"half", half},
           {"empty", Tensor::zeros({0, 3})}}};
}

}  // namespace ntq::test
