// Convolutions of a GPU, by cuDNN.
#include "engine/backend/cuda/convolutions.h"

#include <algorithm>
#include <mutex>

#include "engine/backend/cuda/cudnn/graph.h"
#include "engine/backend/cuda/cudnn/plans.h"
#include "engine/backend/cuda/stream_state.h"

namespace ntq::cuda {
namespace {

/// What is above is known to have broken engines that count in 32 bits.
constexpr int64_t kMostElements = int64_t{1} << 31;

/// Bytes, at most 16, that an address is a multiple of.
int64_t alignment_of(const void* memory) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  return static_cast<int64_t>(std::min<uintptr_t>(address & (~address + 1), 16));
}

}  // namespace

struct Convolutions::State {
  Stream& stream;
  Memory& memory;
  std::mutex mutex = {};
  cudnnHandle_t handle = nullptr;
  cudnn::Arithmetic arithmetic = cudnn::Arithmetic::float32;
  std::optional<cudnn::Plans> plans = {};
  void* workspace = nullptr;
  int64_t workspace_bytes = 0;

  /// Fills `result`, one of x, w and y: which one, the direction says.
  void run(cudnn::Direction direction, const ConvGeometry& g, ConstView x, ConstView w, ConstView y, View result);

 private:
  /// With the first convolution: cuDNN takes its time and memory.
  void open();
  bool make_room(int64_t bytes);
};

void Convolutions::State::open() {
  if (plans) return;
  cudnn::require(cudnnCreate(&handle), "opening cuDNN " + cudnn::version());
  cudnn::require(cudnnSetStream(handle, stream.state().stream), "giving cuDNN its stream");
  arithmetic = cudnn::arithmetic_of_environment();
  plans.emplace(cudnn::Gpu{.handle = handle}, cudnn::rules_of_environment());
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
  if (std::max({x.size, w.size, y.size}) > kMostElements) {
    return stream.leave_error(BackendError::Code::unsupported,
                              "a convolution of more than 2^31 elements; try a smaller batch");
  }
  const int64_t alignment = std::min({alignment_of(x.data), alignment_of(w.data), alignment_of(y.data)});
  const std::lock_guard lock(mutex);
  stream.state().use_device();
  try {
    open();
    const cudnn::Problem problem{direction, g, arithmetic, alignment};
    const cudnn::Plan& plan = plans->plan_for(problem);
    if (!make_room(plan.workspace)) return;
    cudnn::Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    const int64_t names[] = {cudnn::kImages, cudnn::kFilters, cudnn::kOutputs};
    void* const tensors[] = {const_cast<void*>(x.data), const_cast<void*>(w.data), const_cast<void*>(y.data)};
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(names))
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(tensors))
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
        .finalize();
    cudnn::require(cudnnBackendExecute(handle, plan.ready.raw(), pack.raw()),
                   "cuDNN, " + problem.describe() + ", engine " + std::to_string(plan.engine));
  } catch (const std::exception& error) {
    stream.leave_error(BackendError::Code::failed, error.what());
  }
}

Convolutions::Convolutions(Stream& stream, Memory& memory) : state_(new State{stream, memory}) {}

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

std::string Convolutions::describe() const { return "cuDNN " + cudnn::version(); }

}  // namespace ntq::cuda
