// Batches on a device that is not the CPU: the bits of those of the CPU, made there or brought there.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "data/loader.h"
#include "data/memory_dataset.h"
#include "tests/support/tested_devices.h"
#include "tests/support/text.h"

using namespace ntq;

namespace {

/// Bytes without a pattern.
std::shared_ptr<MemoryDataset> noisy(int64_t size, const DatasetInfo& info) {
  std::vector<uint8_t> pixels(static_cast<size_t>(size * info.height * info.width * info.channels));
  uint32_t state = 1;
  std::generate(pixels.begin(), pixels.end(), [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<uint8_t>(state >> 24);
  });
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < size; ++i) labels.push_back(static_cast<int32_t>(i % info.classes));
  return std::make_shared<MemoryDataset>(info, pixels, labels);
}

DatasetInfo colours() { return {"colours", 6, 5, 3, 10, {.49f, .48f, .44f}, {.2f, .21f, .26f}, true}; }
DatasetInfo grays() { return {"grays", 7, 7, 1, 10, {.286f}, {.353f}, false}; }

/// The same, loaded one by one, as photographs are; images of which `bad` says so cannot be.
struct OneByOne final : Dataset {
  explicit OneByOne(std::shared_ptr<Dataset> all, int64_t bad_every = 0) : inner(std::move(all)), bad(bad_every) {}
  int64_t size() const override { return inner->size(); }
  const DatasetInfo& info() const override { return inner->info(); }
  Sample get(int64_t index) const override { return inner->get(index); }
  int32_t load(int64_t index, const LoadContext& context, float* out) const override {
    if (bad > 0 && index % bad == 0) throw BadImageError("bad");
    return inner->load(index, context, out);
  }
  std::shared_ptr<Dataset> inner;
  int64_t bad;
};

/// Every batch of what is left of the epoch, brought to the host at its end: nothing before waits for the device.
struct Seen {
  std::vector<Batch> batches;
  explicit Seen(DataLoader& loader) {
    while (auto batch = loader.next()) batches.push_back(*batch);
    CHECK_FALSE(loader.next().has_value());
  }
  bool operator==(const Seen& other) const {
    const auto same = [](const Batch& a, const Batch& b) {
      return a.images.shape() == b.images.shape() && a.labels.shape() == b.labels.shape() &&
             a.images.to_vector() == b.images.to_vector() &&
             a.labels.to_vector<int32_t>() == b.labels.to_vector<int32_t>();
    };
    return std::equal(batches.begin(), batches.end(), other.batches.begin(), other.batches.end(), same);
  }
};

LoaderOptions options(Device device) { return {.batch_size = 8, .pad = 2, .seed = 5, .device = device}; }

}  // namespace

TEST_CASE("batches on a device have the bits of the CPU's, wherever an epoch begins") {
  const Device device = test::tested_device();
  for (const DatasetInfo& info : {colours(), grays()}) {
    const auto data = noisy(100, info);
    const std::shared_ptr<Dataset> loaded[] = {data, std::make_shared<OneByOne>(data)};
    for (const auto& set : loaded) {
      for (const bool training : {true, false}) {
        for (const int workers : {0, 2}) {
          LoaderOptions here = options({});
          here.workers = workers;
          if (!training) here = in_order(here);
          LoaderOptions there = here;
          there.device = device;
          DataLoader reference(data, here), loader(set, there);
          CHECK(loader.workers() == (set == data ? 0 : workers));
          for (const int64_t epoch : {0, 3}) {
            for (const int64_t first : {0, 7, 12}) {
              reference.start(epoch, first), loader.start(epoch, first);
              const Seen found(loader), expected(reference);
              for (const Batch& batch : found.batches) {
                CHECK(batch.images.device() == device);
                CHECK(batch.labels.device() == device);
              }
              CHECK(found == expected);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("crops at all borders are among those of an epoch, and are the CPU's") {
  LoaderOptions how = options({});
  how.pad = 5, how.batch_size = 500;
  DataLoader reference(noisy(500, colours()), how);
  how.device = test::tested_device();
  DataLoader loader(noisy(500, colours()), how);
  reference.start(1), loader.start(1);
  const Seen found(loader), expected(reference);
  CHECK(found == expected);
  const std::vector<float> pixels = expected.batches.front().images.to_vector();
  const float black = -.49f / .2f;
  const auto is_black = [&](int64_t image, int64_t pixel) {
    return std::abs(pixels[static_cast<size_t>((image * 30 + pixel) * 3)] - black) < 1e-6f;
  };
  int64_t whole = 0, corners[4] = {};
  for (int64_t i = 0; i < 500; ++i) {
    const int64_t at[] = {0, 4, 25, 29};
    bool all = true;
    for (int64_t p = 0; p < 30; ++p) all = all && is_black(i, p);
    whole += all;
    for (int c = 0; c < 4; ++c) corners[c] += is_black(i, at[c]);
  }
  CHECK(whole > 0);  // wholly in the border
  for (const int64_t count : corners) CHECK((count > 50 && count < 450));
}

TEST_CASE("a batch that is not all there is brought to the device as it is") {
  const auto data = noisy(100, colours());
  LoaderOptions how = options({});
  how.max_bad = 100, how.shuffle = false;
  for (const int64_t bad : {3, 1}) {
    how.device = {};
    DataLoader reference(std::make_shared<OneByOne>(data, bad), how);
    how.device = test::tested_device();
    DataLoader loader(std::make_shared<OneByOne>(data, bad), how);
    reference.start(0), loader.start(0);
    const Seen found(loader), expected(reference);
    CHECK(expected.batches.front().labels.numel() == (bad == 3 ? 5 : 0));
    CHECK(found == expected);
  }
}

TEST_CASE("a data set that would take more than a quarter of a device's memory is loaded by workers") {
  const Device small = test::emulated_device(1);  // 64 KB
  LoaderOptions how = options(small);
  const auto workers_for = [&](int64_t images) {
    DataLoader loader(noisy(images, colours()), how);
    loader.start(0);
    CHECK(loader.next()->images.device() == small);
    synchronize(small);
    return loader.workers();
  };
  CHECK(workers_for(100) == 0);  // 9 KB
  CHECK(workers_for(200) == 1);  // 18 KB
}

TEST_CASE("a label that its data set does not have is refused on a device too") {
  DatasetInfo info = colours();
  const auto data = noisy(16, info);
  info.classes = 5;
  std::vector<int32_t> labels(16, 0);
  labels[11] = 7;
  const auto wrong = std::make_shared<MemoryDataset>(
      info, std::vector<uint8_t>(data->all_pixels().begin(), data->all_pixels().end()), labels);
  DataLoader loader(wrong, in_order(options(test::tested_device())));
  loader.start(0);
  CHECK(loader.next().has_value());
  CHECK(test::contains(test::error_of<DataError>([&] { loader.next(); }), "image 11 has 90 bytes and label 7"));
  CHECK_FALSE(loader.next().has_value());
}
