// What the library exports.
#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/module_interface.h"

namespace {

ntq::Backend* create(int index, ntq::BackendError* error) {
  std::unique_ptr<ntq::cuda::Stream> stream = ntq::cuda::Stream::open(index, *error);
  return stream ? new ntq::cuda::CudaBackend(std::move(stream)) : nullptr;
}

}  // namespace

const ntq::BackendModule* ntq_backend_module() {
  static const ntq::BackendModule module{.create = create};
  return &module;
}
