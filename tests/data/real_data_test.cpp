// The published files, where they are: sizes, class balance, and that mean and deviation are the usual ones.
#include <doctest/doctest.h>

#include <cmath>

#include "data/loader.h"

using namespace ntq;

namespace {

/// The pair, or nothing (with a message) when the files are not on this machine.
DatasetPair open_or_skip(const char* name) {
  try {
    return open_dataset(name);
  } catch (const Error& error) {
    MESSAGE("skipped: ", std::string(error.what()));
    return {};
  }
}

/// Every class has its share of the images.
void check_balance(const Dataset& data) {
  std::vector<int64_t> counts(static_cast<size_t>(data.info().classes));
  for (int64_t i = 0; i < data.size(); ++i) ++counts[static_cast<size_t>(data.get(i).label)];
  for (const int64_t count : counts) CHECK(count == data.size() / data.info().classes);
}

/// The constants in DatasetInfo against the pixels of the training images.
void check_mean(const Dataset& data) {
  const DatasetInfo& info = data.info();
  const auto channels = static_cast<size_t>(info.channels);
  for (size_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0, count = 0;
    for (int64_t i = 0; i < data.size(); i += 5) {
      const auto pixels = data.get(i).pixels;
      for (size_t k = c; k < pixels.size(); k += channels) {
        const double value = pixels[k] / 255.0;
        sum += value, squares += value * value, ++count;
      }
    }
    const double mean = sum / count;
    CHECK(mean == doctest::Approx(info.mean[c]).epsilon(0.01));
    CHECK(std::sqrt(squares / count - mean * mean) == doctest::Approx(info.deviation[c]).epsilon(0.01));
  }
}

void check_set(const char* name, int64_t train, int64_t val) {
  const DatasetPair pair = open_or_skip(name);
  if (!pair.train) return;
  CHECK(pair.train->size() == train);
  CHECK(pair.val->size() == val);
  check_balance(*pair.train);
  check_balance(*pair.val);
  check_mean(*pair.train);
  LoaderOptions how;
  how.workers = 2;
  DataLoader loader(pair.train, how);
  loader.start(0, loader.batches_per_epoch() - 3);
  int64_t batches = 0;
  while (const auto batch = loader.next()) {
    ++batches;
    CHECK(batch->images.shape() ==
          Shape{128, pair.train->info().height, pair.train->info().width, pair.train->info().channels});
  }
  CHECK(batches == 3);
}

}  // namespace

TEST_CASE("CIFAR-10 as published") { check_set("cifar10", 50000, 10000); }
TEST_CASE("CIFAR-100 as published") { check_set("cifar100", 50000, 10000); }
TEST_CASE("Fashion-MNIST as published") { check_set("fashion-mnist", 60000, 10000); }
