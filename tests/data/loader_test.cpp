#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>

#include "data/memory_dataset.h"
#include "data/transforms.h"
#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace {

DatasetInfo info() { return {"test", 4, 4, 1, 1000, {0, 0, 0}, {1, 1, 1}, true}; }

/// Image i is 4x4 of bytes 1 + i % 255 and has label i.
std::shared_ptr<MemoryDataset> numbered(int64_t size) {
  std::vector<uint8_t> pixels;
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < size; ++i) {
    for (int k = 0; k < 16; ++k) pixels.push_back(static_cast<uint8_t>(i * 16 + k));
    labels.push_back(static_cast<int32_t>(i));
  }
  return std::make_shared<MemoryDataset>(info(), pixels, labels);
}

/// Slow at random and broken at chosen labels.
class Troubled final : public Dataset {
 public:
  explicit Troubled(std::shared_ptr<Dataset> inner, std::vector<int64_t> broken = {})
      : inner_(std::move(inner)), broken_(std::move(broken)) {}
  int64_t size() const override { return inner_->size(); }
  const DatasetInfo& info() const override { return inner_->info(); }
  Sample get(int64_t index) const override {
    ++reads;
    if (index % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (std::find(broken_.begin(), broken_.end(), index) != broken_.end()) {
      throw DataError(concat("image ", index, " is broken"));
    }
    return inner_->get(index);
  }
  mutable std::atomic<int64_t> reads = 0;

 private:
  std::shared_ptr<Dataset> inner_;
  std::vector<int64_t> broken_;
};

struct Seen {
  std::vector<int32_t> labels;
  std::vector<float> images;
  std::vector<int64_t> sizes;
  bool operator==(const Seen&) const = default;
};

void add(Seen& seen, const Batch& batch) {
  const int64_t n = batch.labels.numel();
  REQUIRE(batch.images.shape() == Shape{n, 4, 4, 1});
  REQUIRE(batch.labels.shape() == Shape{n});
  seen.sizes.push_back(n);
  seen.labels.insert(seen.labels.end(), batch.labels.data<int32_t>(), batch.labels.data<int32_t>() + n);
  seen.images.insert(seen.images.end(), batch.images.f32(), batch.images.f32() + batch.images.numel());
}

Seen rest(DataLoader& loader) {
  Seen seen;
  while (const auto batch = loader.next()) add(seen, *batch);
  CHECK_FALSE(loader.next().has_value());
  return seen;
}

LoaderOptions options(int workers) {
  LoaderOptions out;
  out.batch_size = 8;
  out.workers = workers;
  out.pad = 2;
  out.seed = 5;
  return out;
}

}  // namespace

TEST_CASE("plain order and values, last batch kept or dropped") {
  for (const int workers : {0, 2}) {
    LoaderOptions how = options(workers);
    how.shuffle = how.augment = how.drop_last = false;
    DataLoader loader(numbered(20), how);
    CHECK(loader.batches_per_epoch() == 3);
    loader.start(0);
    const Seen seen = rest(loader);
    CHECK(seen.sizes == std::vector<int64_t>{8, 8, 4});
    for (int32_t i = 0; i < 20; ++i) REQUIRE(seen.labels[static_cast<size_t>(i)] == i);
    for (size_t i = 0; i < 320; ++i) REQUIRE(seen.images[i] == static_cast<float>(i % 256) / 255.0f);
    how.drop_last = true;
    DataLoader dropping(numbered(20), how);
    CHECK(dropping.batches_per_epoch() == 2);
    dropping.start(0);
    CHECK(rest(dropping).sizes == std::vector<int64_t>{8, 8});
  }
}

TEST_CASE("shuffled and augmented values are those of the pure functions") {
  const auto data = numbered(30);
  DataLoader loader(data, options(1));
  loader.start(3);
  const Seen seen = rest(loader);
  const auto order = epoch_order(5, 3, 30);
  REQUIRE(seen.labels.size() == 24);
  for (size_t i = 0; i < 24; ++i) {
    REQUIRE(seen.labels[i] == static_cast<int32_t>(order[i]));
    std::vector<float> image(16);
    Transform{info()}(data->get(order[i]).pixels.data(), draw_augmentation(5, 3, order[i], 2, true), image.data());
    REQUIRE(std::equal(image.begin(), image.end(), seen.images.begin() + static_cast<int64_t>(16 * i)));
  }
}

TEST_CASE("the same batches for any number of workers, and from any first batch") {
  DataLoader reference(numbered(100), options(0));
  for (const int workers : {0, 1, 3}) {
    for (const int prefetch : {1, 2, 5}) {
      LoaderOptions how = options(workers);
      how.prefetch = prefetch;
      DataLoader loader(std::make_shared<Troubled>(numbered(100)), how);
      for (const int64_t epoch : {0, 1, 7}) {
        for (const int64_t first : {0, 1, 5, 12}) {
          reference.start(epoch, first);
          loader.start(epoch, first);
          const Seen expected = rest(reference);
          CHECK(static_cast<int64_t>(expected.sizes.size()) == 12 - first);
          CHECK(rest(loader) == expected);
        }
      }
    }
  }
  reference.start(0);
  const Seen zero = rest(reference);
  reference.start(1);
  CHECK_FALSE(rest(reference) == zero);
}

TEST_CASE("augmentation does not depend on the batch that holds the sample") {
  LoaderOptions how = options(2);
  how.shuffle = false;
  DataLoader eights(numbered(40), how);
  how.batch_size = 5;
  DataLoader fives(numbered(40), how);
  eights.start(2);
  fives.start(2);
  CHECK(rest(eights).images == rest(fives).images);
}

TEST_CASE("start in the middle of an epoch, workers busy") {
  const auto data = std::make_shared<Troubled>(numbered(100));
  DataLoader loader(data, options(3)), reference(numbered(100), options(0));
  for (int64_t round = 0; round < 60; ++round) {
    loader.start(round);
    for (int64_t i = 0; i < round % 4; ++i) CHECK(loader.next().has_value());
  }
  loader.start(2, 3);
  reference.start(2, 3);
  CHECK(rest(loader) == rest(reference));
}

TEST_CASE("destruction with workers busy or idle") {
  for (int round = 0; round < 20; ++round) {
    DataLoader loader(std::make_shared<Troubled>(numbered(100)), options(3));
    if (round % 2 == 0) loader.start(0);
    if (round % 4 == 0) loader.next();
  }
}

TEST_CASE("workers stay within the prefetch bound") {
  const auto data = std::make_shared<Troubled>(numbered(400));
  LoaderOptions how = options(3);
  how.prefetch = 2;
  DataLoader loader(data, how);
  loader.start(0);
  for (int64_t taken = 1; taken <= 3; ++taken) {
    CHECK(loader.next().has_value());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(data->reads.load() <= (taken + how.prefetch) * how.batch_size);
  }
}

TEST_CASE("an exception comes at its batch, in order, and the rest follows") {
  for (const int workers : {0, 1, 3}) {
    LoaderOptions how = options(workers);
    how.shuffle = false;
    // Batches 1 and 3 are broken.
    DataLoader loader(std::make_shared<Troubled>(numbered(48), std::vector<int64_t>{11, 31}), how);
    loader.start(0);
    for (int64_t batch = 0; batch < 6; ++batch) {
      if (batch == 1 || batch == 3) {
        const std::string error = error_of<DataError>([&] { loader.next(); });
        CHECK(error == (batch == 1 ? "image 11 is broken" : "image 31 is broken"));
      } else {
        const auto found = loader.next();
        REQUIRE(found.has_value());
        CHECK(found->labels.data<int32_t>()[0] == 8 * batch);
      }
    }
    CHECK_FALSE(loader.next().has_value());
  }
}

TEST_CASE("samples that do not fit their data set are refused") {
  auto of = info();
  of.classes = 3;
  const auto data = std::make_shared<MemoryDataset>(of, std::vector<uint8_t>(16 * 4), std::vector<int32_t>{0, 1, 2, 3});
  LoaderOptions how = options(1);
  how.batch_size = 4;
  DataLoader loader(data, how);
  loader.start(0);
  CHECK(contains(error_of<DataError>([&] { loader.next(); }), "image 3 has 16 bytes and label 3"));
  CHECK_THROWS_AS(MemoryDataset(info(), std::vector<uint8_t>(15), {0}), std::invalid_argument);
}

TEST_CASE("wrong options and calls") {
  const auto refuse = [](auto change) {
    LoaderOptions how = options(1);
    change(how);
    return error_of<std::invalid_argument>([&] { DataLoader loader(numbered(20), how); });
  };
  CHECK(contains(refuse([](LoaderOptions& how) { how.batch_size = 0; }), "batch_size is 0"));
  CHECK(contains(refuse([](LoaderOptions& how) { how.batch_size = 21; }), "no full batch of 21"));
  CHECK(contains(refuse([](LoaderOptions& how) { how.workers = -1; }), "workers is -1"));
  CHECK(contains(refuse([](LoaderOptions& how) { how.prefetch = 0; }), "prefetch is 0"));
  CHECK(contains(refuse([](LoaderOptions& how) { how.pad = 5; }), "pad is 5"));
  CHECK(contains(refuse([](LoaderOptions& how) { how.pad = -1; }), "pad is -1"));
  CHECK(refuse([](LoaderOptions& how) { how.pad = 5, how.augment = false; }) == "");
  CHECK_THROWS_AS(DataLoader(nullptr, {}), std::invalid_argument);

  DataLoader loader(numbered(20), options(1));
  CHECK(contains(error_of<std::invalid_argument>([&] { loader.next(); }), "call start"));
  CHECK_THROWS_AS(loader.start(-1), std::invalid_argument);
  CHECK_THROWS_AS(loader.start(0, 3), std::invalid_argument);
  loader.start(0, 2);
  CHECK_FALSE(loader.next().has_value());
}

TEST_CASE("waiting time grows when data are late and starts afresh") {
  DataLoader loader(std::make_shared<Troubled>(numbered(40)), options(1));
  loader.start(0);
  rest(loader);
  CHECK(loader.wait_seconds() > 0.0005);
  loader.start(1, 5);
  CHECK(loader.wait_seconds() == 0.0);
}

namespace {

/// load() does not come back before release(); as on a file system that hangs.
class Stuck final : public Dataset {
 public:
  struct Gate {
    std::mutex mutex;
    std::condition_variable opened;
    bool open = false;
    std::atomic<bool> entered = false;
  };
  explicit Stuck(std::shared_ptr<Gate> gate) : inner_(numbered(20)), gate_(std::move(gate)) {}
  int64_t size() const override { return inner_->size(); }
  const DatasetInfo& info() const override { return inner_->info(); }
  Sample get(int64_t index) const override {
    gate_->entered = true;
    std::unique_lock lock(gate_->mutex);
    gate_->opened.wait(lock, [&] { return gate_->open; });
    return inner_->get(index);
  }

 private:
  std::shared_ptr<Dataset> inner_;
  std::shared_ptr<Gate> gate_;
};

void release(Stuck::Gate& gate) {
  const std::lock_guard lock(gate.mutex);
  gate.open = true;
  gate.opened.notify_all();
}

/// Memory that runs out: in load(), or for a batch.
class Greedy final : public Dataset {
 public:
  Greedy() : inner_(numbered(40)) {}
  int64_t size() const override { return inner_->size(); }
  const DatasetInfo& info() const override {
    if (no_batches) throw std::bad_alloc();
    return inner_->info();
  }
  Sample get(int64_t index) const override {
    if (index >= 8 && index < 16) throw std::bad_alloc();
    return inner_->get(index);
  }
  std::atomic<bool> no_batches = false;

 private:
  std::shared_ptr<Dataset> inner_;
};

}  // namespace

TEST_CASE("a wait for data that do not come can be interrupted") {
  const auto gate = std::make_shared<Stuck::Gate>();
  const auto data = std::make_shared<Stuck>(gate);
  const auto begin = std::chrono::steady_clock::now();
  {
    std::atomic<int> asked = 0;
    LoaderOptions how = options(2);
    how.interrupted = [&] { return ++asked > 2; };
    DataLoader loader(data, how);
    loader.start(0);
    try {
      loader.next();
      FAIL("next() came back");
    } catch (const LoadInterrupted& e) {
      CHECK(e.exit_code() == 130);
    }
    CHECK(asked == 3);
    CHECK(gate->entered);
  }  // with both workers inside of load()
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  release(*gate);  // what was left behind ends on its own
}

TEST_CASE("interrupted workers that are not stuck are waited for; data that come are given") {
  LoaderOptions how = options(2);
  how.interrupted = [] { return true; };
  DataLoader loader(numbered(40), how);
  loader.start(0);
  int64_t batches = 0;
  while (batches < 5) {
    try {
      if (!loader.next()) break;
      ++batches;
    } catch (const LoadInterrupted&) {
    }
  }
  CHECK(batches == 5);
}

TEST_CASE("memory that runs out in a worker comes out of next()") {
  for (const int workers : {0, 1, 3}) {
    LoaderOptions how = options(workers);
    how.shuffle = false;
    DataLoader loader(std::make_shared<Greedy>(), how);
    loader.start(0);
    CHECK(loader.next().has_value());
    CHECK_THROWS_AS(loader.next(), std::bad_alloc);
    for (int64_t batch = 2; batch < 5; ++batch) CHECK(loader.next().has_value());
    CHECK_FALSE(loader.next().has_value());

    const auto data = std::make_shared<Greedy>();
    DataLoader starved(data, how);
    data->no_batches = true;
    starved.start(0);
    for (int64_t batch = 0; batch < 5; ++batch) CHECK_THROWS_AS(starved.next(), std::bad_alloc);
    CHECK_FALSE(starved.next().has_value());
  }
}
