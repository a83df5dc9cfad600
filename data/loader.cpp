#include "data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/transforms.h"

namespace ntq {
namespace {

/// What a worker needs to know of an epoch; shared, so that start() can replace it while workers still read it.
struct Epoch {
  int64_t number = 0;
  std::vector<uint32_t> order;
};

/// A finished batch, or why there is none.
struct Slot {
  Batch batch;
  std::exception_ptr error;
};

}  // namespace

struct DataLoader::Impl {
  const std::shared_ptr<const Dataset> dataset;
  const LoaderOptions options;
  const Transform transform;
  int64_t batches = 0;
  double waited = 0;

  // Batches [consumed, claimed) are in the ring or being made, batch b in slot b % prefetch.
  std::mutex mutex;
  std::condition_variable work, ready;
  std::shared_ptr<const Epoch> epoch;
  int64_t claimed = 0, consumed = 0;
  std::vector<std::optional<Slot>> ring;
  bool stopping = false;
  std::vector<std::thread> workers;

  Impl(std::shared_ptr<const Dataset> data, const LoaderOptions& settings);
  ~Impl() { stop(); }
  void stop();
  void run();
  Batch make(const Epoch& of, int64_t index) const;
  Slot take();
};

namespace {

const Dataset& checked(const std::shared_ptr<const Dataset>& dataset, const LoaderOptions& options) {
  check(dataset != nullptr, "DataLoader: no data set");
  check(options.batch_size >= 1, "DataLoader: batch_size is ", options.batch_size, ", expected 1 or more");
  check(options.workers >= 0 && options.workers <= 1024, "DataLoader: workers is ", options.workers,
        ", expected 0 to 1024");
  check(options.prefetch >= 1 && options.prefetch <= 4096, "DataLoader: prefetch is ", options.prefetch,
        ", expected 1 to 4096 batches");
  const DatasetInfo& info = dataset->info();
  const int64_t side = std::min(info.height, info.width);
  check(!options.augment || (options.pad >= 0 && options.pad <= side), "DataLoader: pad is ", options.pad,
        ", expected 0 to the image's side, ", side);
  const int64_t size = dataset->size();
  check(size >= 1 && size <= std::numeric_limits<int32_t>::max(), "DataLoader: data set ", info.name, " holds ", size,
        " images, expected 1 to 2^31 - 1");
  check(!options.drop_last || options.batch_size <= size, "DataLoader: data set ", info.name, " holds ", size,
        " images, no full batch of ", options.batch_size, "; choose a smaller batch_size or keep the last batch");
  return *dataset;
}

}  // namespace

DataLoader::Impl::Impl(std::shared_ptr<const Dataset> data, const LoaderOptions& settings)
    : dataset(std::move(data)), options(settings), transform(checked(dataset, options).info()) {
  const int64_t size = dataset->size(), full = size / options.batch_size;
  batches = full + (!options.drop_last && size % options.batch_size != 0 ? 1 : 0);
  ring.resize(static_cast<size_t>(options.prefetch));
  try {
    for (int i = 0; i < options.workers; ++i) workers.emplace_back([this] { run(); });
  } catch (...) {  // the system has no more threads; those that run must end before we go
    stop();
    throw;
  }
}

void DataLoader::Impl::stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  work.notify_all();
  for (std::thread& worker : workers) worker.join();
}

/// A worker's life: claim a batch, make it unlocked, hand it over unless the epoch has changed meanwhile.
void DataLoader::Impl::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [&] {
      return stopping || (epoch && claimed < batches && claimed < consumed + static_cast<int64_t>(ring.size()));
    });
    if (stopping) return;
    const int64_t index = claimed++;
    std::shared_ptr<const Epoch> of = epoch;
    lock.unlock();
    Slot slot;
    try {
      slot.batch = make(*of, index);
    } catch (...) {
      slot.error = std::current_exception();
    }
    lock.lock();
    if (of != epoch) continue;
    ring[static_cast<size_t>(index) % ring.size()] = std::move(slot);
    if (index == consumed) ready.notify_one();
  }
}

Batch DataLoader::Impl::make(const Epoch& of, int64_t index) const {
  const DatasetInfo& info = dataset->info();
  const int64_t begin = index * options.batch_size;
  const int64_t count = std::min(options.batch_size, dataset->size() - begin);
  const int64_t image = info.height * info.width * info.channels;
  Batch batch{Tensor::empty({count, info.height, info.width, info.channels}), Tensor::empty({count}, DType::i32)};
  float* images = batch.images.f32();
  int32_t* labels = batch.labels.data<int32_t>();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t sample_index = of.order[static_cast<size_t>(begin + i)];
    const Dataset::Sample sample = dataset->get(sample_index);
    if (static_cast<int64_t>(sample.pixels.size()) != image || sample.label < 0 || sample.label >= info.classes) {
      throw DataError(concat("data set ", info.name, ": image ", sample_index, " has ", sample.pixels.size(),
                             " bytes and label ", sample.label, ", expected ", image, " bytes and a label below ",
                             info.classes));
    }
    const Augmentation augmentation =
        options.augment ? draw_augmentation(options.seed, of.number, sample_index, options.pad, info.flip)
                        : Augmentation{};
    transform(sample.pixels.data(), augmentation, images + i * image);
    labels[i] = sample.label;
  }
  return batch;
}

/// Batch `consumed`, and on to the next.
Slot DataLoader::Impl::take() {
  Slot slot;
  if (workers.empty()) {
    slot.batch = make(*epoch, consumed++);
    return slot;
  }
  {
    std::unique_lock lock(mutex);
    std::optional<Slot>& place = ring[static_cast<size_t>(consumed) % ring.size()];
    ready.wait(lock, [&] { return place.has_value(); });
    slot = std::move(*place);
    place.reset();
    ++consumed;
  }
  work.notify_one();
  return slot;
}

DataLoader::DataLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>(std::move(dataset), options)) {}

DataLoader::~DataLoader() = default;

int64_t DataLoader::batches_per_epoch() const { return impl_->batches; }

void DataLoader::start(int64_t epoch, int64_t first_batch) {
  check(epoch >= 0 && epoch <= std::numeric_limits<uint32_t>::max(), "DataLoader::start: epoch is ", epoch,
        ", expected 0 to 2^32 - 1");
  check(first_batch >= 0 && first_batch <= impl_->batches, "DataLoader::start: first batch is ", first_batch,
        ", expected 0 to ", impl_->batches);
  auto next = std::make_shared<Epoch>();
  next->number = epoch;
  if (impl_->options.shuffle) {
    next->order = epoch_order(impl_->options.seed, epoch, impl_->dataset->size());
  } else {
    next->order.resize(static_cast<size_t>(impl_->dataset->size()));
    std::iota(next->order.begin(), next->order.end(), 0u);
  }
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->epoch = std::move(next);
    impl_->claimed = impl_->consumed = first_batch;
    for (auto& slot : impl_->ring) slot.reset();
  }
  impl_->waited = 0;
  impl_->work.notify_all();
}

std::optional<Batch> DataLoader::next() {
  check(impl_->epoch != nullptr, "DataLoader::next: call start(epoch) first");
  if (impl_->consumed == impl_->batches) return std::nullopt;
  const auto begin = std::chrono::steady_clock::now();
  Slot slot = impl_->take();
  impl_->waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (slot.error) std::rethrow_exception(slot.error);
  return std::move(slot.batch);
}

double DataLoader::wait_seconds() const { return impl_->waited; }

}  // namespace ntq
