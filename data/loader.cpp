#include "data/loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>

#include "data/batch_work.h"
#include "data/device_images.h"
#include "data/transforms.h"
#include "data/upload.h"
#include "engine/backend/cpu/parallel.h"

namespace ntq {
namespace {

/// Where a batch is made: the batch, or why it could not even be begun.
struct Slot {
  std::shared_ptr<Work> work;
  std::exception_ptr error;
  bool done() const { return error || (work && work->ready); }
};

constexpr auto kPoll = std::chrono::milliseconds(100);
/// How long an interrupted loader waits for workers that may hang.
constexpr auto kPatience = std::chrono::seconds(1);

}  // namespace

struct DataLoader::Impl : std::enable_shared_from_this<Impl> {
  const std::shared_ptr<const Dataset> dataset;
  const LoaderOptions options;
  const Transform transform;
  const std::unique_ptr<DeviceImages> device_images;  // null: workers load
  std::optional<Upload> upload;                       // of what they have loaded
  int64_t batches = 0;
  double waited = 0;

  std::set<int64_t> bad;  // samples
  std::vector<std::string> bad_images;

  // Batches [consumed, begun) are ready or being made, batch b in slot b % prefetch.
  std::mutex mutex;
  std::condition_variable wanted, ready, ended;
  std::shared_ptr<const Epoch> epoch;
  int64_t begun = 0, consumed = 0;
  std::vector<Slot> ring;
  bool stopping = false;
  std::vector<std::thread> workers;
  int running = 0;

  Impl(std::shared_ptr<const Dataset> data, const LoaderOptions& settings);
  void start_workers();
  void stop() noexcept;
  void run() noexcept;
  std::shared_ptr<Work> begin_batch(int64_t index) const;
  std::shared_ptr<Work> claim() noexcept;
  void wait_for_slot(std::unique_lock<std::mutex>& lock, const Slot& slot);
  void fill(Work& work, int64_t unit) const;
  LoadContext context_of(const Epoch& of) const;
  std::shared_ptr<Work> take();
  Batch make_on_device();
  void account(const Work& work);
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
  check(!options.augment || info.decodes || (options.pad >= 0 && options.pad <= side), "DataLoader: pad is ",
        options.pad, ", expected 0 to the image's side, ", side);
  const int64_t size = dataset->size();
  check(size >= 1 && size <= std::numeric_limits<int32_t>::max(), "DataLoader: data set ", info.name, " holds ", size,
        " images, expected 1 to 2^31 - 1");
  check(options.max_bad >= 0, "DataLoader: max_bad is ", options.max_bad, ", expected 0 or more images");
  check(!options.drop_last || options.batch_size <= size, "DataLoader: data set ", info.name, " holds ", size,
        " images, no full batch of ", options.batch_size, "; choose a smaller batch_size or keep the last batch");
  return *dataset;
}

}  // namespace

DataLoader::Impl::Impl(std::shared_ptr<const Dataset> data, const LoaderOptions& settings)
    : dataset(std::move(data)),
      options(settings),
      transform(checked(dataset, options).info()),
      device_images(options.device == Device() ? nullptr : DeviceImages::of(*dataset, transform, options.device)) {
  if (!device_images && options.device != Device()) upload.emplace(options.device);
  const int64_t size = dataset->size(), full = size / options.batch_size;
  batches = full + (!options.drop_last && size % options.batch_size != 0 ? 1 : 0);
  ring.resize(static_cast<size_t>(options.prefetch));
}

void DataLoader::Impl::start_workers() {
  if (device_images) return;
  try {
    workers.reserve(static_cast<size_t>(options.workers));
    for (int i = 0; i < options.workers; ++i) {
      workers.emplace_back([self = shared_from_this()] { cpu::use_cpus_of_process(), self->run(); });
      const std::lock_guard lock(mutex);
      ++running;
    }
  } catch (...) {  // the system has no more threads; those that run must end before we go
    stop();
    throw;
  }
}

/// Waits for the workers' end; of an interrupted program not for ever, they may hang in a file system that does.
void DataLoader::Impl::stop() noexcept {
  std::unique_lock lock(mutex);
  stopping = true;
  wanted.notify_all();
  const auto begin = std::chrono::steady_clock::now();
  while (options.interrupted && !ended.wait_for(lock, kPoll, [&] { return running == 0; })) {
    if (std::chrono::steady_clock::now() - begin < kPatience || !options.interrupted()) continue;
    for (std::thread& worker : workers) worker.detach();
    return;
  }
  lock.unlock();
  for (std::thread& worker : workers) worker.join();
}

/// Memory and bookkeeping for batch `index` of the epoch.
std::shared_ptr<Work> DataLoader::Impl::begin_batch(int64_t index) const {
  const DatasetInfo& info = dataset->info();
  auto work = std::make_shared<Work>();
  work->epoch = epoch;
  work->first = index * options.batch_size;
  work->count = std::min(options.batch_size, dataset->size() - work->first);
  const Shape images{work->count, info.height, info.width, info.channels};
  work->batch = {Tensor::pinned(images, DType::f32, options.device),
                 Tensor::pinned({work->count}, DType::i32, options.device)};
  work->faults.resize(static_cast<size_t>(work->count));
  work->left = work->units();
  return work;
}

/// The batch that needs a worker next, begun if there is room for one more; null: none. Call it with the lock.
std::shared_ptr<Work> DataLoader::Impl::claim() noexcept {
  if (!epoch) return nullptr;
  for (int64_t index = consumed; index < begun; ++index) {
    const auto& work = ring[static_cast<size_t>(index) % ring.size()].work;
    if (work && work->claimed < work->units()) return work;
  }
  while (begun < batches && begun < consumed + static_cast<int64_t>(ring.size())) {
    Slot& slot = ring[static_cast<size_t>(begun) % ring.size()];
    try {
      slot.work = begin_batch(begun);
    } catch (...) {  // no memory: next() throws it in this batch's place
      slot.error = std::current_exception();
      ready.notify_one();
    }
    ++begun;
    if (slot.work) return slot.work;
  }
  return nullptr;
}

/// A worker's life: claim a unit, fill it unlocked; who fills the last one of a batch finishes it.
void DataLoader::Impl::run() noexcept {
  std::unique_lock lock(mutex);
  for (;;) {
    std::shared_ptr<Work> work;
    wanted.wait(lock, [&] { return stopping || (work = claim()); });
    if (stopping) break;
    const int64_t unit = work->claimed++;
    lock.unlock();
    std::exception_ptr error;
    try {
      fill(*work, unit);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && (!work->error || unit < work->error_at)) work->error = error, work->error_at = unit;
    if (--work->left > 0) continue;
    lock.unlock();
    try {
      work->leave_out_faults();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !work->error) work->error = error;
    work->ready = true;
    ready.notify_one();
  }
  --running;
  ended.notify_all();
}

LoadContext DataLoader::Impl::context_of(const Epoch& of) const {
  return {transform, options.augment, options.pad, options.seed, of.number};
}

void DataLoader::Impl::fill(Work& work, int64_t unit) const {
  const int64_t image = work.batch.images.shape().numel_from(1), end = std::min((unit + 1) * Work::kUnit, work.count);
  const LoadContext context = context_of(*work.epoch);
  for (int64_t i = unit * Work::kUnit; i < end; ++i) {
    try {
      work.batch.labels.data<int32_t>()[i] = dataset->load(work.epoch->order[static_cast<size_t>(work.first + i)],
                                                           context, work.batch.images.f32() + i * image);
    } catch (const BadImageError& e) {
      work.faults[static_cast<size_t>(i)] = e.what();
    }
  }
}

/// Batch `consumed`, and on to the next.
std::shared_ptr<Work> DataLoader::Impl::take() {
  std::shared_ptr<Work> work;
  if (workers.empty()) {
    work = begin_batch(consumed++);
    for (int64_t unit = 0; unit < work->units(); ++unit) fill(*work, unit);
    work->leave_out_faults();
    return work;
  }
  std::exception_ptr error;
  {
    std::unique_lock lock(mutex);
    Slot& slot = ring[static_cast<size_t>(consumed) % ring.size()];
    wait_for_slot(lock, slot);
    error = slot.error;
    work = std::move(slot.work);
    slot = {};
    ++consumed;
  }
  wanted.notify_all();
  if (error) std::rethrow_exception(error);
  return work;
}

/// The same, made on the device.
Batch DataLoader::Impl::make_on_device() {
  const int64_t first = consumed++ * options.batch_size, count = std::min(options.batch_size, dataset->size() - first);
  return device_images->batch({epoch->order.data() + first, static_cast<size_t>(count)}, context_of(*epoch));
}

void DataLoader::Impl::wait_for_slot(std::unique_lock<std::mutex>& lock, const Slot& slot) {
  if (!options.interrupted) return ready.wait(lock, [&] { return slot.done(); });
  while (!ready.wait_for(lock, kPoll, [&] { return slot.done(); })) {
    if (options.interrupted()) throw LoadInterrupted();
  }
}

/// Counts what is bad in a batch that is handed out: in the order of the batches, so that the limit is reached at the
/// same batch for any number of workers.
void DataLoader::Impl::account(const Work& work) {
  for (int64_t i = 0; i < work.count; ++i) {
    const std::string& fault = work.faults[static_cast<size_t>(i)];
    if (fault.empty() || !bad.insert(work.epoch->order[static_cast<size_t>(work.first + i)]).second) continue;
    bad_images.push_back(fault);
    if (static_cast<int64_t>(bad.size()) > options.max_bad) {
      throw DataError(concat("bad images: expected at most ", options.max_bad, ", found ", bad.size(),
                             "; the last: ", fault, "; repair or remove them, or raise --max-bad-images"));
    }
  }
}

DataLoader::DataLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : impl_(std::make_shared<Impl>(std::move(dataset), options)) {
  impl_->start_workers();
}

DataLoader::~DataLoader() { impl_->stop(); }

int64_t DataLoader::batches_per_epoch() const { return impl_->batches; }

int64_t DataLoader::workers() const { return static_cast<int64_t>(impl_->workers.size()); }

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
    impl_->begun = impl_->consumed = first_batch;
    for (Slot& slot : impl_->ring) slot = {};
  }
  impl_->waited = 0;
  impl_->wanted.notify_all();
}

std::optional<Batch> DataLoader::next() {
  check(impl_->epoch != nullptr, "DataLoader::next: call start(epoch) first");
  if (impl_->consumed == impl_->batches) {
    if (impl_->upload) impl_->upload->rest();
    return std::nullopt;
  }
  if (impl_->device_images) return impl_->make_on_device();
  const auto begin = std::chrono::steady_clock::now();
  const std::shared_ptr<Work> work = impl_->take();
  impl_->waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (work->error) std::rethrow_exception(work->error);
  impl_->account(*work);
  return impl_->upload ? (*impl_->upload)(work->batch) : std::move(work->batch);
}

const std::vector<std::string>& DataLoader::bad_images() const { return impl_->bad_images; }

double DataLoader::wait_seconds() const { return impl_->waited; }

}  // namespace ntq
