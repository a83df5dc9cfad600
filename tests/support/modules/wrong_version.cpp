// A module library of some other ntq.
#include "engine/backend/module_interface.h"

const ntq::BackendModule* ntq_backend_module() {
  static const ntq::BackendModule module{.interface = ntq::kBackendInterface + 1, .create = nullptr};
  return &module;
}
