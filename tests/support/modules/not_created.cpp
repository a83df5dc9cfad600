// A module library whose devices cannot be made.
#include <cstdio>

#include "engine/backend/module_interface.h"

const ntq::BackendModule* ntq_backend_module() {
  static const ntq::BackendModule module{.create = [](int index, ntq::BackendError* error) -> ntq::Backend* {
    error->code = ntq::BackendError::Code::failed;
    std::snprintf(error->text, sizeof error->text, "there is no processor %d;\nplug one in", index);
    return nullptr;
  }};
  return &module;
}
