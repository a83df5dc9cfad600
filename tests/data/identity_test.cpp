// What a data set is: class names, fingerprint, and options that say "not given" by not being there.
#include <doctest/doctest.h>

#include <cmath>

#include "data/class_names.h"
#include "data/dataset.h"
#include "data/fingerprint.h"
#include "data/memory_dataset.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

DatasetInfo two_pixels() { return {"tiny", 1, 2, 1, 3, {0, 0, 0}, {1, 1, 1}, true, false, {"cat", "dog", "emu"}}; }

}  // namespace

TEST_CASE("a fingerprint is the CRC-32 of pixels and labels") {
  // zlib.crc32(bytes([1, 2, 3, 4]) + struct.pack("<ii", 0, 2))
  const MemoryDataset data(two_pixels(), {1, 2, 3, 4}, {0, 2});
  CHECK(data.fingerprint() == "crc32:a4ce1145");
  CHECK(data.fingerprint() == "crc32:a4ce1145");
  CHECK(MemoryDataset(two_pixels(), {1, 2, 3, 5}, {0, 2}).fingerprint() != data.fingerprint());
  CHECK(MemoryDataset(two_pixels(), {1, 2, 3, 4}, {0, 1}).fingerprint() != data.fingerprint());
  // Texts with their lengths: ab, c is not a, bc.
  Fingerprint a, b;
  a.add(std::string("ab")), a.add(std::string("c"));
  b.add(std::string("a")), b.add(std::string("bc"));
  CHECK(a.text("") != b.text(""));
}

TEST_CASE("a fingerprint is of what limits leave, and of nothing else") {
  const DatasetPair all = open_dataset("synthetic", {}, 20, 10), same = open_dataset("synthetic", "/nowhere", 20, 10);
  CHECK(all.train->fingerprint() == same.train->fingerprint());
  CHECK(all.train->fingerprint() != all.val->fingerprint());
  CHECK(all.train->fingerprint() != open_dataset("synthetic", {}, 19, 10).train->fingerprint());
  // Another normalisation is not other data.
  DatasetOptions options;
  options.limit_train = 20, options.mean = std::array<float, 3>{0, 0, 0};
  const DatasetPair raw = open_dataset("synthetic", options);
  CHECK(raw.train->fingerprint() == all.train->fingerprint());
}

TEST_CASE("a mean of zeros is a choice, a deviation of zero is none") {
  DatasetOptions options;
  options.mean = std::array<float, 3>{0, 0, 0};
  CHECK(open_dataset("synthetic", options).val->info().mean == std::array<float, 3>{0, 0, 0});
  CHECK(open_dataset("synthetic", options).val->info().deviation == std::array<float, 3>{.25f, .25f, .25f});
  for (const float bad : {0.0f, -1.0f, NAN}) {
    options.deviation = std::array<float, 3>{1, bad, 1};
    CHECK(contains(error_of<std::invalid_argument>([&] { open_dataset("synthetic", options); }), "expected above 0"));
  }
  for (const int64_t limit : {0, -1}) CHECK_THROWS_AS(open_dataset("synthetic", {}, limit), std::invalid_argument);
  CHECK_THROWS_AS(open_dataset("synthetic", ""), std::invalid_argument);
}

TEST_CASE("the built-in sets name all their classes") {
  const DatasetInfo info = open_dataset("synthetic").train->info();
  CHECK(info.class_names.size() == static_cast<size_t>(info.classes));
  CHECK(info.class_names[9] == "9");
}

TEST_CASE("labels mean what the list of classes says") {
  DatasetOptions options;
  options.class_names = {"x", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"};
  const DatasetPair own = open_dataset("synthetic"), pair = open_dataset("synthetic", options);
  CHECK(pair.val->info().classes == 11);
  CHECK(pair.val->info().class_names == options.class_names);
  for (int64_t i = 0; i < 20; ++i) CHECK(pair.val->get(i).label == 10 - own.val->get(i).label);
  options.class_names = {"0", "1", "dog"};
  const std::string error = error_of<DataError>([&] { open_dataset("synthetic", options); });
  CHECK(contains(error, "synthetic: no class '2' is expected; expected 3 (0, 1, dog), found 10 (0, 1, 2, 3, 4, ...)"));
  options.class_names = {"0", "0"};
  CHECK_THROWS_AS(open_dataset("synthetic", options), std::invalid_argument);
}
