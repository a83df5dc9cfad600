// Any bytes as a safetensors file: tensors or a CheckpointError, and the header alone as the whole file has it.
#include <cstdint>
#include <cstdlib>

#include "base/check.h"
#include "base/printable.h"
#include "base/safetensors/other_formats.h"
#include "engine/serialize.h"

namespace {

template <class Read>
bool reads(Read read) {
  try {
    read();
    return true;
  } catch (const ntq::CheckpointError&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  size_t listed = 0, kept = 0;
  const bool header = reads([&] { listed = ntq::safetensors::Reader(bytes, "input").header().entries.size(); });
  const bool whole = reads([&] {
    const ntq::TensorFile file = ntq::parse_tensors(bytes, "input");
    kept = file.tensors.size() + file.skipped.size();
  });
  if (whole && (!header || listed != kept)) std::abort();  // checksums may refuse what the header alone allows
  ntq::safetensors::what_is(bytes.substr(0, ntq::safetensors::kFormatBytes), "input");
  const std::string shown = ntq::printable(bytes, 256);
  if (ntq::printable(shown) != shown) std::abort();
  return 0;
}
