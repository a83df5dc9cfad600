#include "engine/backend/cuda/cudnn/timing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "engine/backend/cuda/cudnn/graph.h"
#include "engine/backend/cuda/stream_state.h"

namespace ntq::cudnn {
namespace {

constexpr int kRuns = 5;
// Not worth more runs: so many times the best so far. A single short run is mostly the host's call, in milliseconds.
constexpr double kTooSlow = 3, kCall = 0.05;
constexpr size_t kPattern = 1 << 20, kLook = 1 << 20;  // floats that are made on the host, and that are looked at

void require_cuda(cudaError_t status, const std::string& doing) {
  if (status == cudaSuccess) return;
  cudaGetLastError();
  throw Error("timing a convolution, " + doing + ": " + cudaGetErrorName(status) + ": " + cudaGetErrorString(status));
}

/// What times plans of one problem: three tensors of whole numbers, a workspace, events.
class Bench {
 public:
  Bench(cuda::Stream& stream, cudnnHandle_t handle, const Problem& problem, int64_t workspace)
      : stream_(stream),
        queue_(stream.state().stream),
        handle_(handle),
        problem_(problem),
        workspace_bytes_(workspace) {
    const ConvGeometry& g = problem.geometry;
    sizes_ = {static_cast<size_t>(g.batch * g.in_h * g.in_w * g.in_c),
              static_cast<size_t>(g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups)),
              static_cast<size_t>(g.batch * g.out_h * g.out_w * g.out_c)};
  }
  ~Bench() {
    for (const cudaEvent_t event : events_) {
      if (event != nullptr) cudaEventDestroy(event);
    }
    for (void* const memory : {tensors_[0], tensors_[1], tensors_[2], workspace_}) {
      if (memory != nullptr) stream_.release(memory);  // waits for what is queued
    }
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// False where there is not enough memory; what there was, the destructor gives back.
  bool take_memory() {
    for (size_t i = 0; i < 3; ++i) {
      if (tensors_[i] == nullptr) tensors_[i] = stream_.allocate(sizes_[i] * sizeof(float));
      if (tensors_[i] == nullptr) return false;
    }
    if (workspace_bytes_ > 0 && workspace_ == nullptr) workspace_ = stream_.allocate(workspace_bytes_);
    return workspace_bytes_ == 0 || workspace_ != nullptr;
  }

  void prepare() {
    for (cudaEvent_t& event : events_) require_cuda(cudaEventCreate(&event), "an event");
    std::vector<float> pattern(kPattern);
    uint32_t state = 1;
    for (float& value : pattern) {
      state = state * 1664525u + 1013904223u;
      value = static_cast<float>(static_cast<int>((state >> 16) % 5) - 2);
    }
    for (size_t i = 0; i < 3; ++i) {
      auto* const begin = static_cast<float*>(tensors_[i]);
      // Each begins elsewhere in the pattern, so that they are not alike.
      size_t have = std::min(sizes_[i], kPattern - i * 1000);
      require_cuda(
          cudaMemcpyAsync(begin, pattern.data() + i * 1000, have * sizeof(float), cudaMemcpyHostToDevice, queue_),
          "filling tensors");
      for (size_t more = 0; have < sizes_[i]; have += more) {
        more = std::min(have, sizes_[i] - have);
        require_cuda(cudaMemcpyAsync(begin + have, begin, more * sizeof(float), cudaMemcpyDeviceToDevice, queue_),
                     "filling tensors");
      }
    }
    require_cuda(cudaStreamSynchronize(queue_), "filling tensors");  // the pattern goes
  }

  std::optional<double> time(const Plan& plan, double best) {
    // Not-a-numbers, so that what is not written is found. The first run loads kernels too, so it is not timed.
    require_cuda(cudaMemsetAsync(result(), 0xff, result_size() * sizeof(float), queue_), "clearing the result");
    if (!run(plan) || !are_whole()) return std::nullopt;
    const std::optional<double> once = median_of(plan, 1);
    if (!once || *once > kTooSlow * best + kCall) return std::nullopt;
    return median_of(plan, kRuns);
  }

 private:
  void* result() const { return tensors_[result_place()]; }
  size_t result_size() const { return sizes_[result_place()]; }
  size_t result_place() const {
    return problem_.direction == Direction::grad_input ? 0 : problem_.direction == Direction::grad_weight ? 1 : 2;
  }

  /// False where the plan does not run. Throws where nothing will run any more.
  bool queue(const Plan& plan) {
    return execute(handle_, plan, tensors_[0], tensors_[1], tensors_[2], workspace_) == CUDNN_STATUS_SUCCESS;
  }
  bool finish(bool queued) {
    const cudaError_t status = cudaStreamSynchronize(queue_);
    cudaGetLastError();  // forgets it, where it can be forgotten
    if (queued && status == cudaSuccess) return true;
    require_cuda(cudaStreamSynchronize(queue_), "the device is lost to this process");
    return false;
  }
  bool run(const Plan& plan) { return finish(queue(plan)); }

  /// One behind the other, as in a step, so that the host's calls are not timed where the device takes longer.
  std::optional<double> median_of(const Plan& plan, int runs) {
    bool queued = true;
    require_cuda(cudaEventRecord(events_[0], queue_), "an event");
    for (int i = 0; i < runs && queued; ++i) {
      queued = queue(plan);
      require_cuda(cudaEventRecord(events_[i + 1], queue_), "an event");
    }
    if (!finish(queued)) return std::nullopt;
    std::vector<float> times(static_cast<size_t>(runs));
    for (int i = 0; i < runs; ++i)
      require_cuda(cudaEventElapsedTime(&times[i], events_[i], events_[i + 1]), "reading the time");
    std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
    return times[times.size() / 2];
  }

  bool are_whole() {
    std::vector<float> values(std::min(result_size(), kLook));
    require_cuda(
        cudaMemcpyAsync(values.data(), result(), values.size() * sizeof(float), cudaMemcpyDeviceToHost, queue_),
        "reading the result");
    require_cuda(cudaStreamSynchronize(queue_), "reading the result");
    return std::all_of(values.begin(), values.end(), [](float value) { return std::nearbyint(value) == value; });
  }

  cuda::Stream& stream_;
  cudaStream_t queue_;
  cudnnHandle_t handle_;
  Problem problem_;
  int64_t workspace_bytes_;
  std::array<size_t, 3> sizes_ = {};
  std::array<void*, 3> tensors_ = {};
  void* workspace_ = nullptr;
  std::array<cudaEvent_t, kRuns + 1> events_ = {};
};

}  // namespace

cudnnStatus_t execute(cudnnHandle_t handle, const Plan& plan, void* images, void* filters, void* outputs,
                      void* workspace) {
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  const int64_t names[] = {kImages, kFilters, kOutputs};
  void* const tensors[] = {images, filters, outputs};
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(names))
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(tensors))
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
      .finalize();
  return cudnnBackendExecute(handle, plan.ready.raw(), pack.raw());
}

Timer device_timer(cuda::Stream& stream, cuda::Memory& memory, cudnnHandle_t handle) {
  return [&stream, &memory, handle](const Problem& problem, int64_t workspace) -> TimePlan {
    const auto bench = std::make_shared<Bench>(stream, handle, problem, workspace);
    if (!bench->take_memory()) {
      memory.give_back();
      if (!bench->take_memory()) return {};
    }
    bench->prepare();
    return [bench](const Plan& plan, double best) { return bench->time(plan, best); };
  };
}

}  // namespace ntq::cudnn
