// What the library exports.
#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/module_interface.h"

namespace {

ntq::Backend* create(int index, ntq::BackendError* error) {
  std::unique_ptr<ntq::cuda::Stream> stream = ntq::cuda::Stream::open(index, *error);
  if (!stream) return nullptr;
  auto backend = std::make_unique<ntq::cuda::CudaBackend>(std::move(stream));
  *error = backend->take_error();
  return error->code == ntq::BackendError::Code::none ? backend.release() : nullptr;
}

}  // namespace

const ntq::BackendModule* ntq_backend_module() {
  static const ntq::BackendModule module{.create = create};
  return &module;
}
