// A module library whose user has set a variable to nonsense.
#include <cstdio>

#include "engine/backend/module_interface.h"

const ntq::BackendModule* ntq_backend_module() {
  static const ntq::BackendModule module{.create = [](int, ntq::BackendError* error) -> ntq::Backend* {
    error->code = ntq::BackendError::Code::settings;
    std::snprintf(error->text, sizeof error->text, "SOME_VARIABLE: expected a number, found 'x'");
    return nullptr;
  }};
  return &module;
}
