#include "data/dataset.h"

#include "data/transforms.h"

namespace ntq {

Augmentation LoadContext::augmentation(const DatasetInfo& of, int64_t index) const {
  return augment ? draw_augmentation(seed, epoch, index, pad, of.flip) : Augmentation{};
}

Dataset::Sample Dataset::checked(int64_t index) const {
  const DatasetInfo& of = info();
  const Sample sample = get(index);
  const int64_t bytes = of.height * of.width * of.channels;
  if (static_cast<int64_t>(sample.pixels.size()) != bytes || sample.label < 0 || sample.label >= of.classes) {
    throw DataError(concat("data set ", of.name, ": image ", index, " has ", sample.pixels.size(), " bytes and label ",
                           sample.label, ", expected ", bytes, " bytes and a label below ", of.classes));
  }
  return sample;
}

int32_t Dataset::load(int64_t index, const LoadContext& context, float* out) const {
  const Sample sample = checked(index);
  context.transform(sample.pixels.data(), context.augmentation(info(), index), out);
  return sample.label;
}

}  // namespace ntq
