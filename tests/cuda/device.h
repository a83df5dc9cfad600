#pragma once
// An emulated device of its own for each test, and kernels on it.
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/backend/cuda/memory.h"

namespace ntq::cuda {

/// Device 0 of the emulated ones: 64 MB, four multiprocessors; device 1: 64 KB.
struct TestDevice {
  explicit TestDevice(int index = 0) : stream(Stream::open(index, refusal)), memory(*stream) {}
  BackendError refusal;
  std::unique_ptr<Stream> stream;
  Memory memory;

  template <class T>
  T* room(int64_t n) {
    return static_cast<T*>(memory.allocate(static_cast<size_t>(n) * sizeof(T), MemoryKind::device));
  }
  template <class T>
  std::vector<T> values(const T* from, size_t n) {
    std::vector<T> out(n);
    stream->copy(out.data(), from, n * sizeof(T), CopyKind::to_host);
    stream->synchronize();
    return out;
  }
  /// What has gone wrong so far; empty: nothing.
  std::string error() {
    stream->synchronize();
    return stream->take_error().text;
  }
};

/// While it lives, threads and blocks run backwards.
struct Backwards {
  Backwards() { setenv("NTQ_EMULATED_ORDER", "reversed", 1); }
  ~Backwards() { unsetenv("NTQ_EMULATED_ORDER"); }
};

}  // namespace ntq::cuda
