#pragma once
// All that the backend asks of a device: memory, copies, kernels and waiting, in one order. Two files implement it, one
// of which is linked: stream_cuda.cpp (the CUDA runtime), tests/support/emulated/stream.cpp (memory of the host).
#include <memory>
#include <string>

#include "engine/backend/cuda/launch.h"
#include "engine/backend/memory.h"

namespace ntq::cuda {

struct DeviceFacts {
  std::string name;      ///< "NVIDIA H100 80GB HBM3"
  std::string versions;  ///< "compute capability 9.0, driver 580.65.06 (CUDA 13.0)"
  int multiprocessors = 1;
};

struct DeviceBytes {
  size_t free = 0, total = 0;
};

/// Work is queued and done in the order of the calls. What fails leaves an error, the oldest of which take_error()
/// gives; calls may come from several threads.
class Stream {
 public:
  /// Of one device, by its number. Null: `error` says why, in one line.
  static std::unique_ptr<Stream> open(int index, BackendError& error);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const DeviceFacts& facts() const { return facts_; }
  DeviceBytes bytes() const;

  /// Device memory, aligned to 256. Null where there is none, without an error: the caller may have some to give back.
  void* allocate(size_t bytes);
  /// Waits for queued work.
  void release(void* memory);
  /// Memory of the host that copies may use while they are queued.
  void* allocate_pinned(size_t bytes);
  void release_pinned(void* memory);

  /// `bytes` of the `room` from `memory` on, which allocate() gave, now belong to somebody, until nothing does: from
  /// this place in the queue on. A GPU does not care, the emulated device finds accesses to what is nobody's.
  void begin_use(void* memory, size_t bytes, size_t room);
  void end_use(void* memory, size_t room);

  /// To the device from pinned memory alone, which is read later; host memory is written before synchronize() returns.
  void copy(void* to, const void* from, size_t bytes, CopyKind kind);
  /// From pinned memory to the device, beside work that was queued behind a mark; what is queued later waits for it.
  void copy_after(uint64_t mark, void* to, const void* from, size_t bytes);
  void zero(void* memory, size_t bytes);

  template <class Kernel>
  void launch(const Grid& grid, const typename Kernel::Args& args) {
    launch(entry_of<Kernel>(), grid, &args);
  }
  void launch(const KernelEntry& kernel, const Grid& grid, const void* args);

  /// A place in the queue, and whether the work before it is done.
  uint64_t mark();
  bool passed(uint64_t mark);
  void synchronize();

  void leave_error(BackendError::Code code, const std::string& text);
  BackendError take_error();

  /// What the implementation knows, for what is implemented beside it (convolutions).
  struct State;
  State& state() { return *state_; }

 private:
  explicit Stream(std::unique_ptr<State> state, DeviceFacts facts);
  std::unique_ptr<State> state_;
  DeviceFacts facts_;
};

}  // namespace ntq::cuda
