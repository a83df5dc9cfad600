// Convolutions of a GPU, by cuDNN.
#include "engine/backend/cuda/convolutions.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "engine/backend/cuda/cudnn/library.h"
#include "engine/backend/cuda/cudnn/plans.h"
#include "engine/backend/cuda/cudnn/timing.h"
#include "engine/backend/cuda/stream_state.h"

namespace ntq::cuda {
namespace {

/// Memory as engines want it, aligned: a view's own, or a piece that stands for it during a call.
class Aligned {
 public:
  Aligned(Stream& stream, Memory& memory, ConstView view)
      : stream_(stream), memory_(memory), view_(view), data_(const_cast<void*>(view.data)) {
    if (reinterpret_cast<uintptr_t>(data_) % cudnn::kAlignment != 0)
      data_ = memory_.allocate(bytes(), MemoryKind::device);
  }
  ~Aligned() {
    if (data_ != view_.data && data_ != nullptr) memory_.release(data_, MemoryKind::device);
  }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;

  void* data() const { return data_; }  ///< null where there was no memory
  void load() { copy(data_, view_.data); }
  void store() { copy(const_cast<void*>(view_.data), data_); }

 private:
  size_t bytes() const { return static_cast<size_t>(view_.size) * dtype_size(view_.type); }
  void copy(void* to, const void* from) {
    if (to != from) stream_.copy(to, from, bytes(), CopyKind::on_device);
  }

  Stream& stream_;
  Memory& memory_;
  ConstView view_;
  void* data_;
};

}  // namespace

struct Convolutions::State {
  Stream& stream;
  Memory& memory;
  std::mutex mutex = {};
  cudnnHandle_t handle = nullptr;
  std::atomic<Products> products = Products::float32;
  std::optional<cudnn::Plans> plans = {};
  void* workspace = nullptr;
  int64_t workspace_bytes = 0;

  void open();
  /// Fills `result`, one of x, w and y: which one, the direction says.
  void run(cudnn::Direction direction, const ConvGeometry& g, ConstView x, ConstView w, ConstView y, View result);

 private:
  bool make_room(int64_t bytes);
};

void Convolutions::State::open() {
  cudnn::require_library();
  stream.state().use_device();
  cudnn::require(cudnnCreate(&handle), "opening cuDNN " + cudnn::version());
  cudnn::require(cudnnSetStream(handle, stream.state().stream), "giving cuDNN its stream");
  plans.emplace(cudnn::Gpu{.handle = handle, .name = stream.facts().name}, cudnn::rules_of_environment(),
                cudnn::device_timer(stream, memory, handle));
}

bool Convolutions::State::make_room(int64_t bytes) {
  if (bytes <= workspace_bytes) return true;
  if (workspace != nullptr) memory.release(workspace, MemoryKind::device);
  workspace = memory.allocate(static_cast<size_t>(bytes), MemoryKind::device);
  workspace_bytes = workspace != nullptr ? bytes : 0;
  return workspace != nullptr;
}

void Convolutions::State::run(cudnn::Direction direction, const ConvGeometry& g, ConstView x, ConstView w, ConstView y,
                              View result) {
  if (std::min({x.size, w.size, y.size}) == 0) {
    if (result.size > 0) stream.zero(result.data, static_cast<size_t>(result.size) * sizeof(float));
    return;
  }
  const std::lock_guard lock(mutex);
  stream.state().use_device();
  try {
    const cudnn::Problem problem{direction, g,
                                 products == Products::tf32 ? cudnn::Arithmetic::tf32 : cudnn::Arithmetic::float32};
    const cudnn::Plan& plan = plans->plan_for(problem);
    if (!make_room(plan.workspace)) return;
    Aligned images(stream, memory, x), filters(stream, memory, w), outputs(stream, memory, y);
    for (Aligned* each : {&images, &filters, &outputs}) {
      if (each->data() == nullptr) return;
    }
    Aligned& written = result.data == x.data ? images : result.data == w.data ? filters : outputs;
    for (Aligned* each : {&images, &filters, &outputs}) {
      if (each != &written) each->load();
    }
    const cudnnStatus_t status = cudnn::execute(handle, plan, images.data(), filters.data(), outputs.data(), workspace);
    if (status != CUDNN_STATUS_SUCCESS) {
      cudnn::require(status, "cuDNN, engine " + std::to_string(plan.engine) + ", " + problem.describe());
    }
    written.store();
  } catch (const cudnn::SettingError& error) {
    stream.leave_error(BackendError::Code::settings, error.what());
  } catch (const std::exception& error) {
    stream.leave_error(BackendError::Code::failed, error.what());
  }
}

Convolutions::Convolutions(Stream& stream, Memory& memory) : state_(new State{stream, memory}) {
  try {
    state_->open();
  } catch (const cudnn::SettingError& error) {
    stream.leave_error(BackendError::Code::settings, error.what());
  } catch (const std::exception& error) {
    stream.leave_error(BackendError::Code::failed, error.what());
  }
}

Convolutions::~Convolutions() {
  state_->plans.reset();
  if (state_->handle != nullptr) cudnnDestroy(state_->handle);
  if (state_->workspace != nullptr) state_->memory.release(state_->workspace, MemoryKind::device);
}

void Convolutions::forward(const ConvGeometry& g, ConstView x, ConstView w, View y) {
  state_->run(cudnn::Direction::forward, g, x, w, y, y);
}

void Convolutions::grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) {
  state_->run(cudnn::Direction::grad_input, g, dx, w, dy, dx);
}

void Convolutions::grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw) {
  state_->run(cudnn::Direction::grad_weight, g, x, dw, dy, dw);
}

void Convolutions::use(Products products) { state_->products = products; }
Products Convolutions::products() const { return state_->products; }

std::string Convolutions::describe() const {
  return "cuDNN " + cudnn::version() + (state_->plans ? state_->plans->note() : std::string());
}

}  // namespace ntq::cuda
