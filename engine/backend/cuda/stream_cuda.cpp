// A stream of the CUDA runtime.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <utility>

#include "engine/backend/cuda/stream_state.h"

namespace ntq::cuda {
namespace {

std::string in_words(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
}

/// After these every further call fails: the process has to begin anew.
bool is_final(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorAssert:
    case cudaErrorDevicesUnavailable:
    case cudaErrorMpsClientTerminated:
    case cudaErrorUnknown:  // also a GPU that has fallen off the bus
    case cudaErrorExternalDevice:
    case cudaErrorContained: return true;
    default: return false;
  }
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, which, device) == cudaSuccess ? value : 0;
}

/// "driver 580.65.06 (CUDA 13.0)", by its kernel module, else "driver of CUDA 13.0".
std::string driver_text(int cuda) {
  std::ifstream file("/proc/driver/nvidia/version");
  for (std::string word; file >> word;) {
    if (word.find('.') != std::string::npos && word.find_first_not_of("0123456789.") == std::string::npos)
      return "driver " + word + " (CUDA " + version_text(cuda) + ")";
  }
  return "driver of CUDA " + version_text(cuda);
}

/// Leaves `text` in `error`; no stream.
std::unique_ptr<Stream> refused(BackendError& error, const std::string& text) {
  error.code = BackendError::Code::failed;
  std::snprintf(error.text, sizeof error.text, "%s", text.c_str());
  return nullptr;
}

/// Any kernel of this module, to ask whether there is code for a device.
__global__ void probe() {}

}  // namespace

void Stream::State::use_device() const {
  thread_local int used = -1;
  if (used == device) return;
  if (cudaSetDevice(device) == cudaSuccess) used = device;
}

void Stream::State::check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // forgets it, where it can be forgotten
  leave_error(BackendError::Code::failed, std::string(what) + ": " + in_words(status) +
                                              (is_final(status) ? "; the device is lost to this process" : ""));
}

void Stream::State::leave_error(BackendError::Code code, const std::string& text) {
  const std::lock_guard lock(mutex);
  if (error.code != BackendError::Code::none) return;
  error.code = code;
  std::snprintf(error.text, sizeof error.text, "%s", text.c_str());
}

std::unique_ptr<Stream> Stream::open(int index, BackendError& error) {
  int driver = 0, count = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return refused(error, "there is no NVIDIA driver (libcuda.so.1); install one, or use cpu");
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted == cudaErrorInsufficientDriver)
    return refused(error, "the NVIDIA driver is of CUDA " + version_text(driver) + ", this module needs " +
                              version_text(runtime) + "; install a newer driver, or use cpu");
  if (counted != cudaSuccess && counted != cudaErrorNoDevice)
    return refused(error, "the driver does not answer (" + in_words(counted) + "); use cpu");
  if (index >= count)
    return refused(error, "there " + (count == 1 ? std::string("is 1 GPU") : "are " + std::to_string(count) + " GPUs") +
                              "; use " + (count == 0 ? "cpu" : "cuda:0"));
  auto state = std::make_unique<State>();
  state->device = index;
  cudaDeviceProp properties{};
  cudaError_t status = cudaSetDevice(index);
  if (status == cudaSuccess) status = cudaGetDeviceProperties(&properties, index);
  for (cudaStream_t* stream : {&state->stream, &state->copies})
    if (status == cudaSuccess) status = cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking);
  if (status == cudaSuccess) status = cudaEventCreateWithFlags(&state->copied, cudaEventDisableTiming);
  if (status != cudaSuccess) return refused(error, "the device cannot be opened (" + in_words(status) + "); use cpu");
  cudaFuncAttributes code{};
  if (const cudaError_t found = cudaFuncGetAttributes(&code, probe); found != cudaSuccess) {
    cudaGetLastError();
    return refused(error, "this module has no code for compute capability " + std::to_string(properties.major) + "." +
                              std::to_string(properties.minor) + " (" + in_words(found) +
                              "); build it with CMAKE_CUDA_ARCHITECTURES, or use cpu");
  }
  DeviceFacts facts;
  facts.name = properties.name;
  facts.versions = "compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                   ", " + driver_text(driver);
  facts.multiprocessors = std::max(1, attribute(cudaDevAttrMultiProcessorCount, index));
  return std::unique_ptr<Stream>(new Stream(std::move(state), std::move(facts)));
}

Stream::Stream(std::unique_ptr<State> state, DeviceFacts facts) : state_(std::move(state)), facts_(std::move(facts)) {}

Stream::~Stream() {
  for (const auto& [mark, event] : state_->marks) cudaEventDestroy(event);
  cudaEventDestroy(state_->copied);
  cudaStreamDestroy(state_->copies);
  cudaStreamDestroy(state_->stream);
}

DeviceBytes Stream::bytes() const {
  state_->use_device();
  DeviceBytes out;
  state_->check(cudaMemGetInfo(&out.free, &out.total), "asking for the memory's size");
  return out;
}

void* Stream::allocate(size_t bytes) {
  state_->use_device();
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaSuccess) return memory;
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
  } else {
    state_->check(status, "allocating memory");
  }
  return nullptr;
}

void Stream::release(void* memory) {
  state_->use_device();
  synchronize();
  state_->check(cudaFree(memory), "giving memory back");
}

void* Stream::allocate_pinned(size_t bytes) {
  state_->use_device();
  void* memory = nullptr;
  if (cudaMallocHost(&memory, bytes) == cudaSuccess) return memory;
  cudaGetLastError();
  return nullptr;
}

void Stream::release_pinned(void* memory) {
  state_->use_device();
  synchronize();
  state_->check(cudaFreeHost(memory), "giving pinned memory back");
}

void Stream::begin_use(void*, size_t, size_t) {}
void Stream::end_use(void*, size_t) {}

void Stream::copy(void* to, const void* from, size_t bytes, CopyKind kind) {
  state_->use_device();
  const cudaMemcpyKind direction = kind == CopyKind::to_device ? cudaMemcpyHostToDevice
                                   : kind == CopyKind::to_host ? cudaMemcpyDeviceToHost
                                                               : cudaMemcpyDeviceToDevice;
  state_->check(cudaMemcpyAsync(to, from, bytes, direction, state_->stream), "copying");
}

void Stream::copy_after(uint64_t mark, void* to, const void* from, size_t bytes) {
  state_->use_device();
  state_->check(state_->copy_beside(mark, to, from, bytes), "copying");
}

cudaError_t Stream::State::copy_beside(uint64_t mark, void* to, const void* from, size_t bytes) {
  const std::lock_guard lock(mutex);
  cudaError_t status = cudaSuccess;
  if (const auto place = marks.find(mark); place != marks.end()) {
    status = cudaStreamWaitEvent(copies, place->second);
  } else if (mark > marked) {  // there was no event for it: behind all
    status = cudaEventRecord(copied, stream);
    if (status == cudaSuccess) status = cudaStreamWaitEvent(copies, copied);
  }
  if (status == cudaSuccess) status = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, copies);
  if (status == cudaSuccess) status = cudaEventRecord(copied, copies);
  return status == cudaSuccess ? cudaStreamWaitEvent(stream, copied) : status;
}

void Stream::zero(void* memory, size_t bytes) {
  state_->use_device();
  state_->check(cudaMemsetAsync(memory, 0, bytes, state_->stream), "setting memory to zero");
}

void Stream::launch(const KernelEntry& kernel, const Grid& grid, const void* args) {
  state_->use_device();
  void* all[] = {const_cast<void*>(args)};
  const cudaError_t status =
      cudaLaunchKernel(kernel.function, dim3(grid.blocks), dim3(grid.threads), all, grid.shared, state_->stream);
  if (status != cudaSuccess) state_->check(status, kernel.words().c_str());
}

uint64_t Stream::mark() {
  state_->use_device();
  const std::lock_guard lock(state_->mutex);
  cudaEvent_t event = nullptr;
  if (cudaEventCreateWithFlags(&event, cudaEventDisableTiming) != cudaSuccess) return ~uint64_t{0};
  cudaEventRecord(event, state_->stream);
  state_->marks.emplace(++state_->marked, event);
  return state_->marked;
}

bool Stream::passed(uint64_t mark) {
  state_->use_device();
  const std::lock_guard lock(state_->mutex);
  auto& marks = state_->marks;
  while (!marks.empty() && cudaEventQuery(marks.begin()->second) == cudaSuccess) {
    cudaEventDestroy(marks.begin()->second);
    marks.erase(marks.begin());
  }
  cudaGetLastError();  // "not ready" is no error
  return mark <= state_->marked && (marks.empty() || mark < marks.begin()->first);
}

void Stream::synchronize() {
  state_->use_device();
  state_->check(cudaStreamSynchronize(state_->stream), "waiting for the device");
}

void Stream::leave_error(BackendError::Code code, const std::string& text) { state_->leave_error(code, text); }

BackendError Stream::take_error() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->error, {});
}

}  // namespace ntq::cuda
