#include <doctest/doctest.h>

#include <cstdlib>

#include "data/dataset.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

/// Value of channel c at pixel p of image n: tells every place apart from its neighbours.
uint8_t value(size_t n, size_t c, size_t p) { return static_cast<uint8_t>(p * 3 + c * 85 + n * 7); }

/// `labels`: the label bytes of each record.
Bytes records(const std::vector<Bytes>& labels) {
  Bytes out;
  for (size_t n = 0; n < labels.size(); ++n) {
    out.insert(out.end(), labels[n].begin(), labels[n].end());
    for (size_t c = 0; c < 3; ++c) {
      for (size_t p = 0; p < 1024; ++p) out.push_back(value(n, c, p));
    }
  }
  return out;
}

void write_cifar10(const TempFolder& temp, const std::string& folder) {
  for (uint8_t file = 1; file <= 5; ++file) {
    temp.write(folder + "/data_batch_" + std::to_string(file) + ".bin", records({{file}, {9}}));
  }
  temp.write(folder + "/test_batch.bin", records({{3}, {0}, {8}}));
}

}  // namespace

TEST_CASE("CIFAR-10 is read in file order, planes become pixels") {
  for (const char* folder : {"cifar-10-batches-bin", "cifar10", "cifar10/cifar-10-batches-bin", "."}) {
    const TempFolder temp;
    write_cifar10(temp, folder);
    const DatasetPair pair = open_dataset("cifar10", temp.str());
    REQUIRE(pair.train->size() == 10);
    REQUIRE(pair.val->size() == 3);
    const int32_t train[] = {1, 9, 2, 9, 3, 9, 4, 9, 5, 9}, val[] = {3, 0, 8};
    for (int64_t i = 0; i < 10; ++i) CHECK(pair.train->get(i).label == train[i]);
    for (int64_t i = 0; i < 3; ++i) CHECK(pair.val->get(i).label == val[i]);
    for (const size_t n : {size_t{0}, size_t{2}}) {
      const auto pixels = pair.val->get(static_cast<int64_t>(n)).pixels;
      REQUIRE(pixels.size() == 3072);
      bool same = true;
      for (size_t p = 0; p < 1024; ++p) {
        for (size_t c = 0; c < 3; ++c) same = same && pixels[3 * p + c] == value(n, c, p);
      }
      CHECK(same);
    }
    CHECK(pair.train->info().classes == 10);
    CHECK(pair.train->info().class_names.size() == 10);
    CHECK(pair.train->info().class_names[3] == "cat");
    CHECK(pair.train->info().mean[0] == .4914f);
    CHECK_THROWS_AS(pair.val->get(3), std::invalid_argument);
    CHECK_THROWS_AS(pair.val->get(-1), std::invalid_argument);
  }
}

TEST_CASE("CIFAR-100 takes the fine label") {
  const TempFolder temp;
  temp.write("cifar-100-binary/train.bin", records({{19, 99}, {0, 42}}));
  temp.write("cifar-100-binary/test.bin", records({{4, 0}}));
  const DatasetPair pair = open_dataset("cifar100", temp.str());
  CHECK(pair.train->get(0).label == 99);
  CHECK(pair.train->get(1).label == 42);
  CHECK(pair.train->get(1).pixels[5] == value(1, 2, 1));
  CHECK(pair.val->size() == 1);
  CHECK(pair.val->info().classes == 100);
  CHECK(pair.val->info().class_names.size() == 100);
  CHECK(pair.val->info().class_names[99] == "worm");
}

TEST_CASE("limits keep the first images, across files") {
  const TempFolder temp;
  write_cifar10(temp, "cifar10");
  const DatasetPair pair = open_dataset("cifar10", temp.str(), 3, 100);
  CHECK(pair.train->size() == 3);
  CHECK(pair.train->get(2).label == 2);
  CHECK(pair.val->size() == 3);
  CHECK_THROWS_AS(open_dataset("cifar10", temp.str(), -1), std::invalid_argument);
}

TEST_CASE("a truncated CIFAR file is refused at every length") {
  const TempFolder temp;
  write_cifar10(temp, "cifar10");
  const Bytes whole = records({{1}, {2}});
  for (size_t length = 0; length < whole.size(); length += length < 8 || length > 6140 ? 1 : 61) {
    if (length == 3073) continue;
    temp.write("cifar10/data_batch_4.bin", Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(length)));
    const std::string error = error_of<DataError>([&] { open_dataset("cifar10", temp.str()); });
    CHECK_MESSAGE(contains(error, "data_batch_4.bin"), length);
    CHECK(contains(error, "found " + std::to_string(length) + " bytes"));
  }
  Bytes longer = whole;
  longer.push_back(0);
  temp.write("cifar10/data_batch_4.bin", longer);
  CHECK(contains(error_of<DataError>([&] { open_dataset("cifar10", temp.str()); }), "2 records and 1 bytes more"));
}

TEST_CASE("a file that claims too many records is refused before memory is asked for") {
  const TempFolder temp;
  write_cifar10(temp, "cifar10");
  std::filesystem::resize_file(temp.path() / "cifar10/data_batch_2.bin", 3073ULL << 21);  // sparse
  CHECK(contains(error_of<DataError>([&] { open_dataset("cifar10", temp.str()); }), "data_batch_2.bin"));
}

TEST_CASE("CIFAR labels out of range name file, record and label") {
  const TempFolder temp;
  write_cifar10(temp, "cifar10");
  temp.write("cifar10/data_batch_3.bin", records({{9}, {10}}));
  std::string error = error_of<DataError>([&] { open_dataset("cifar10", temp.str()); });
  CHECK(contains(error, "data_batch_3.bin: record 1: label 10, expected 0 to 9"));

  temp.write("cifar100/train.bin", records({{0, 100}}));
  temp.write("cifar100/test.bin", records({{0, 0}}));
  error = error_of<DataError>([&] { open_dataset("cifar100", temp.str()); });
  CHECK(contains(error, "train.bin: record 0: label 100, expected 0 to 99"));
  temp.write("cifar100/train.bin", records({{20, 0}}));
  error = error_of<DataError>([&] { open_dataset("cifar100", temp.str()); });
  CHECK(contains(error, "train.bin: record 0: coarse label 20, expected 0 to 19"));
}

TEST_CASE("missing CIFAR folders and files say where and what to do") {
  const TempFolder temp;
  std::string error = error_of<DataError>([&] { open_dataset("cifar10", temp.str()); });
  CHECK(contains(error, temp.str() + "/cifar-10-batches-bin (no such folder)"));
  CHECK(contains(error, "cifar-10-binary.tar.gz"));
  CHECK(contains(error, "NTQ_DATA_DIR"));
  std::filesystem::create_directory(temp.path() / "cifar10");
  error = error_of<DataError>([&] { open_dataset("cifar10", temp.str()); });
  CHECK(contains(error, temp.str() + "/cifar10 (there, without these files)"));

  write_cifar10(temp, "cifar10");
  std::filesystem::remove(temp.path() / "cifar10/test_batch.bin");
  CHECK(contains(error_of<DataError>([&] { open_dataset("cifar10", temp.str()); }),
                 "test_batch.bin: the file is missing"));
  std::filesystem::create_directory(temp.path() / "cifar10/test_batch.bin");
  CHECK(contains(error_of<DataError>([&] { open_dataset("cifar10", temp.str()); }), "expected a file"));
}

TEST_CASE("names, and the folder from the environment") {
  CHECK(dataset_names() ==
        std::vector<std::string>{"cifar10", "cifar100", "fashion-mnist", "imagenet", "folder", "synthetic"});
  const std::string error = error_of<std::invalid_argument>([] { open_dataset("cifar11"); });
  CHECK(contains(error, "cifar11"));
  CHECK(contains(error, "cifar10, cifar100, fashion-mnist, imagenet, folder, synthetic"));

  const TempFolder temp;
  write_cifar10(temp, "cifar10");
  const char* old = std::getenv("NTQ_DATA_DIR");
  const std::string before = old != nullptr ? old : "";
  setenv("NTQ_DATA_DIR", temp.str().c_str(), 1);
  CHECK(open_dataset("cifar10").train->size() == 10);
  if (old != nullptr) {
    setenv("NTQ_DATA_DIR", before.c_str(), 1);
  } else {
    unsetenv("NTQ_DATA_DIR");
  }
}
