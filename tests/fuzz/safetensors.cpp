// Any bytes as a safetensors file: tensors or a CheckpointError.
#include <cstdint>

#include "engine/check.h"
#include "engine/serialize.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    ntq::parse_tensors({reinterpret_cast<const char*>(data), size}, "input");
  } catch (const ntq::CheckpointError&) {
  }
  return 0;
}
