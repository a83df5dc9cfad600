#pragma once
// The half of a backend that is not arithmetic: memory, copies, waiting, errors. Needs no symbol of the engine, so that
// a module library can implement it (module_interface.h).
#include <cstddef>
#include <cstdint>
#include <string>

namespace ntq {

/// What went wrong on a device, as it crosses the border of a module library: a code and one line of text.
struct BackendError {
  /// settings: what the user has set for the module, an environment variable, is wrong.
  enum class Code { none, out_of_memory, unsupported, failed, settings };
  Code code = Code::none;
  char text[1024] = "";
};

/// device: what the primitives work on. pinned: host memory that the device copies from and to beside other work; on
/// the CPU the same as device memory.
enum class MemoryKind { device, pinned };
enum class CopyKind { to_device, to_host, on_device };

/// Work is queued and done in the order of the calls; calls may return before it is done. No exception leaves a module
/// library: a call that fails returns null where it returns a pointer and leaves an error that take_error() gives; so
/// does work that fails later, and a call of a primitive that the device lacks. The engine asks where an allocation
/// failed, after copies and after synchronize(), and throws DeviceError. A backend that is part of the program may
/// throw it itself.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  /// For people: "cpu, AVX2+FMA, 2 threads".
  virtual std::string describe() const = 0;
  /// Whether the program may read and write device memory itself, with nothing to wait for: the CPU.
  virtual bool host_memory() const = 0;
  /// Of the device's own memory, what can still be allocated; 0 where that is the host's.
  virtual size_t bytes_free() const { return 0; }
  /// Of the device's own memory, what this program has taken from it; 0 where that is the host's.
  virtual size_t bytes_held() const { return 0; }

  /// At least one byte, aligned to 64, contents undefined. Null: an error is left.
  virtual void* allocate(size_t bytes, MemoryKind kind) = 0;
  /// Takes back what allocate() gave, with the same arguments; work that was queued before may still use it. Leaves no
  /// error.
  virtual void release(void* memory, size_t bytes, MemoryKind kind) = 0;
  /// Host memory that is not pinned has been read when this returns; pinned memory is read, and host memory written, at
  /// some time before synchronize() returns.
  virtual void copy(void* to, const void* from, size_t bytes, CopyKind kind) = 0;
  /// A place in the queue: behind all work up to here.
  virtual uint64_t mark() { return 0; }
  /// As copy() from pinned memory to the device, begun as soon as the work before a place of the queue is done, beside
  /// what was queued since, where the device can; that work has nothing to do with `to`. What is queued from here on
  /// finds the bytes.
  virtual void copy_after(uint64_t /*place*/, void* to, const void* from, size_t bytes) {
    copy(to, from, bytes, CopyKind::to_device);
  }
  /// Sets bytes of device memory to 0.
  virtual void zero(void* memory, size_t bytes) = 0;
  /// Returns when all queued work is done.
  virtual void synchronize() = 0;
  /// The oldest error since the last call, and forgets it; may be called at any time, and does not wait.
  virtual BackendError take_error() = 0;
};

}  // namespace ntq
