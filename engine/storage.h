#pragma once
// The memory behind tensors, and every copy of it: inside a device, between devices, to and from the host.
#include <cstddef>
#include <memory>

#include "engine/backend/registry.h"

namespace ntq {

/// Memory of one or several tensors, given back to its backend with the last of them. Throws DeviceError.
struct Storage {
  Storage(size_t size, Device where) : Storage(size, where, where, MemoryKind::device) {}
  /// Host memory that the device copies from and to beside other work.
  static std::shared_ptr<Storage> pinned(size_t size, Device by) {
    return std::shared_ptr<Storage>(new Storage(size, Device(), by, MemoryKind::pinned));
  }
  ~Storage() { owner.release(memory, bytes, kind); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  size_t bytes;
  Device device;
  MemoryKind kind;
  Backend& owner;    // gave the memory
  Backend& backend;  // computes on it
  void* memory;

 private:
  Storage(size_t size, Device where, Device from, MemoryKind kind_of);
};

/// Bytes of a storage.
struct Place {
  const Storage* storage;
  size_t offset;
  void* address() const { return static_cast<std::byte*>(storage->memory) + offset; }
};

/// Copies between any two devices, in the order of the devices' work. What lies in host memory afterwards is there when
/// it returns; pinned memory must not change before the device is synchronized.
void copy_bytes(const Place& to, const Place& from, size_t bytes);
/// Waits for the values.
void read_bytes(void* to, const Place& from, size_t bytes);

}  // namespace ntq
