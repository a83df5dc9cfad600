#include "data/device_images.h"

#include "data/transforms.h"
#include "engine/backend/registry.h"

namespace ntq {

std::unique_ptr<DeviceImages> DeviceImages::of(const Dataset& dataset, const Transform& transform, Device device) {
  const Backend& backend = backend_for(device);
  const size_t bytes = dataset.all_pixels().size();
  if (bytes == 0 || bytes > backend.bytes_free() / 4 || !backend.supports(Primitive::crop_images, DType::f32))
    return {};
  return std::unique_ptr<DeviceImages>(new DeviceImages(dataset, transform, device));
}

DeviceImages::DeviceImages(const Dataset& dataset, const Transform& transform, Device device)
    : dataset_(dataset), device_(device) {
  const std::span<const uint8_t> all = dataset.all_pixels();
  pixels_ = Tensor::empty({static_cast<int64_t>(all.size())}, DType::u8, device);
  Backend& backend = backend_for(device);
  backend.copy(pixels_.raw(), all.data(), all.size(), CopyKind::to_device);
  throw_device_error(device, backend);
  const std::span<const float> values = transform.values();
  values_ = Tensor::from({static_cast<int64_t>(values.size())}, values, device);
}

Batch DeviceImages::batch(std::span<const uint32_t> which, const LoadContext& context) const {
  const DatasetInfo& info = dataset_.info();
  const auto count = static_cast<int64_t>(which.size());
  check(count * info.height * info.width < int64_t{1} << 31, "data set ", info.name, ": a batch of ", count,
        " images of ", info.height, "x", info.width, " has more than 2^31 pixels");
  const Tensor drawn = Tensor::pinned({5, count}, DType::i32, device_);  // crops, then labels: one copy
  auto *crop = drawn.data<int32_t>(), *label = crop + 4 * count;
  for (const uint32_t index : which) {
    const Augmentation how = context.augmentation(info, index);
    *label++ = dataset_.checked(index).label;
    *crop++ = static_cast<int32_t>(index);
    *crop++ = how.top - how.pad;
    *crop++ = how.left - how.pad;
    *crop++ = how.mirror ? 1 : 0;
  }
  const Tensor there = drawn.to(device_);
  const Tensor images = Tensor::empty({count, info.height, info.width, info.channels}, DType::f32, device_);
  backend_for(device_).crop_images({count, info.height, info.width, info.channels}, pixels_.view(),
                                   there.rows(0, 4).view(), values_.view(), images.view());
  return {images, there.rows(4, 5).view({count})};
}

}  // namespace ntq
