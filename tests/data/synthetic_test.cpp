#include <doctest/doctest.h>

#include <limits>

#include "data/dataset.h"

using namespace ntq;

TEST_CASE("synthetic: sizes, balance and the same bytes each time") {
  const DatasetPair a = open_dataset("synthetic"), b = open_dataset("synthetic", "/nowhere", 20, 10);
  CHECK(a.train->size() == 2000);
  CHECK(a.val->size() == 500);
  CHECK(b.train->size() == 20);
  CHECK(b.val->size() == 10);
  std::vector<int> count(10);
  for (int64_t i = 0; i < 500; ++i) ++count[static_cast<size_t>(a.val->get(i).label)];
  CHECK(count == std::vector<int>(10, 50));
  for (int64_t i = 0; i < 20; ++i) {
    const auto x = a.train->get(i).pixels, y = b.train->get(i).pixels;
    CHECK(std::equal(x.begin(), x.end(), y.begin(), y.end()));
  }
  const auto train = a.train->get(0).pixels, val = a.val->get(0).pixels;
  CHECK_FALSE(std::equal(train.begin(), train.end(), val.begin(), val.end()));
}

TEST_CASE("synthetic: bytes of the first image, on every machine") {
  const DatasetPair pair = open_dataset("synthetic", {}, 1, 1);
  uint32_t hash = 2166136261u;
  for (const uint8_t value : pair.train->get(0).pixels) hash = (hash ^ value) * 16777619u;
  CHECK(hash == 3715718181u);
}

TEST_CASE("synthetic can be learnt: the nearest training image has the same class") {
  const DatasetPair pair = open_dataset("synthetic", {}, 1000, 40);
  int right = 0;
  for (int64_t i = 0; i < pair.val->size(); ++i) {
    const auto query = pair.val->get(i);
    int64_t best = std::numeric_limits<int64_t>::max();
    int32_t label = -1;
    for (int64_t j = 0; j < pair.train->size(); ++j) {
      const auto candidate = pair.train->get(j);
      int64_t distance = 0;
      for (size_t k = 0; k < query.pixels.size(); k += 2) {
        const int difference = query.pixels[k] - candidate.pixels[k];
        distance += difference * difference;
      }
      if (distance < best) best = distance, label = candidate.label;
    }
    right += label == query.label;
  }
  CHECK(right >= 30);
}
