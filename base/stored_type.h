#pragma once
// Element types as safetensors files name them: the one table of their sizes.
#include <array>
#include <cstdint>
#include <string_view>

namespace ntq {

/// So many bytes hold so many elements.
struct StoredType {
  std::string_view name;
  uint8_t bytes, elements;
};

/// First those of engine/dtype.h, in its order, then the format's others.
inline constexpr std::array kStoredTypes = {
    StoredType{"F32", 4, 1},         StoredType{"F64", 8, 1},         StoredType{"F16", 2, 1},
    StoredType{"BF16", 2, 1},        StoredType{"I64", 8, 1},         StoredType{"I32", 4, 1},
    StoredType{"I8", 1, 1},          StoredType{"U8", 1, 1},          StoredType{"BOOL", 1, 1},
    StoredType{"I16", 2, 1},         StoredType{"U16", 2, 1},         StoredType{"U32", 4, 1},
    StoredType{"U64", 8, 1},         StoredType{"F8_E4M3", 1, 1},     StoredType{"F8_E5M2", 1, 1},
    StoredType{"F8_E8M0", 1, 1},     StoredType{"F4", 1, 2},          StoredType{"F6_E2M3", 3, 4},
    StoredType{"F6_E3M2", 3, 4},     StoredType{"C64", 8, 1},         StoredType{"C128", 16, 1},
    StoredType{"F8_E4M3FNUZ", 1, 1}, StoredType{"F8_E5M2FNUZ", 1, 1},
};

/// Its place in the table; the table's size for a name that is not in it.
constexpr size_t find_stored_type(std::string_view name) {
  size_t i = 0;
  while (i < kStoredTypes.size() && kStoredTypes[i].name != name) ++i;
  return i;
}

}  // namespace ntq
