// Any bytes as an IDX file, plain or gzip: values or a DataError.
#include "data/idx.h"

#include "base/check.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = ntq::fuzz::write_input("input", data, size);
  const int64_t sides[] = {2, 3};
  for (const std::span<const int64_t> item : {std::span<const int64_t>(), std::span<const int64_t>(sides)}) {
    try {
      ntq::read_idx(path, item);
    } catch (const ntq::DataError&) {
    }
  }
  return 0;
}
