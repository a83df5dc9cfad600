// Any bytes as a file of CIFAR-100: a data set or a DataError.
#include "data/dataset.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ntq::fuzz::write_input("train.bin", data, size);
  ntq::fuzz::write_input("test.bin", data, size);
  try {
    ntq::open_dataset("cifar100", ntq::fuzz::folder().string());
  } catch (const ntq::DataError&) {
  }
  return 0;
}
