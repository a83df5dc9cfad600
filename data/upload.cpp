#include "data/upload.h"

#include "engine/backend/registry.h"

namespace ntq {

void Upload::make_room(const Shape& shape) {
  room_ = Tensor::empty(shape, DType::f32, device_);
  place_ = backend_for(device_).mark();
}

Batch Upload::operator()(const Batch& batch) {
  const int64_t count = batch.images.size(0);
  if (!room_ || room_.size(0) < count) make_room(batch.images.shape());
  const Shape shape = room_.shape();
  const Batch out{room_.rows(0, count), batch.labels.to(device_)};
  if (count > 0) {
    Backend& backend = backend_for(device_);
    backend.copy_after(place_, out.images.raw(), batch.images.raw(), batch.images.bytes());
    throw_device_error(device_, backend);
    make_room(shape);
  }
  return out;
}

}  // namespace ntq
