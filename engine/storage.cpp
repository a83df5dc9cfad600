#include "engine/storage.h"

#include <vector>

#include "base/check.h"

namespace ntq {

Storage::Storage(size_t size, Device where, Device from, MemoryKind kind_of)
    : bytes(size),
      device(where),
      kind(kind_of),
      owner(backend_for(from)),
      backend(backend_for(where)),
      memory(owner.allocate(size, kind_of)) {
  if (memory) return;
  throw_device_error(from, owner);
  throw DeviceError(concat(from.str(), ": out of memory: ", size >> 20, " MB asked for"));
}

void read_bytes(void* to, const Place& from, size_t bytes) {
  if (bytes == 0) return;
  Backend& backend = from.storage->backend;
  backend.copy(to, from.address(), bytes, CopyKind::to_host);
  backend.synchronize();
  throw_device_error(from.storage->device, backend);
}

void copy_bytes(const Place& to, const Place& from, size_t bytes) {
  if (bytes == 0) return;
  Backend &source = from.storage->backend, &target = to.storage->backend;
  if (target.host_memory()) {
    read_bytes(to.address(), from, bytes);
    return;
  }
  if (source.host_memory() || &source == &target) {
    target.copy(to.address(), from.address(), bytes, source.host_memory() ? CopyKind::to_device : CopyKind::on_device);
  } else {
    std::vector<std::byte> between(bytes);
    read_bytes(between.data(), from, bytes);
    target.copy(to.address(), between.data(), bytes, CopyKind::to_device);
  }
  throw_device_error(to.storage->device, target);
}

}  // namespace ntq
