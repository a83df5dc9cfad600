#pragma once
// What a module library (ntq_backend_NAME.so) exports, so that the devices "NAME:0", "NAME:1", ... exist.
// It is compiled against this header and links nothing of ours.
#include <cstdint>

#include "engine/backend/backend.h"

namespace ntq {

/// Grows with every change to what crosses the border: class Backend, its base, and the structs they take.
constexpr uint32_t kBackendInterface = 9;

struct BackendModule {
  uint32_t interface = kBackendInterface;  ///< stays first: it is read before all else is believed
  /// The backend of one device, by its number; it is never destroyed. Null: `error` says why.
  Backend* (*create)(int index, BackendError* error) = nullptr;
};

}  // namespace ntq

/// The one symbol of a module library; what it returns lives as long as the library.
extern "C" __attribute__((visibility("default"))) const ntq::BackendModule* ntq_backend_module();
