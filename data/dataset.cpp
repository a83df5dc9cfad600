#include "data/dataset.h"

#include "data/transforms.h"

namespace ntq {

int32_t Dataset::load(int64_t index, const LoadContext& context, float* out) const {
  const DatasetInfo& of = info();
  const Sample sample = get(index);
  const int64_t bytes = of.height * of.width * of.channels;
  if (static_cast<int64_t>(sample.pixels.size()) != bytes || sample.label < 0 || sample.label >= of.classes) {
    throw DataError(concat("data set ", of.name, ": image ", index, " has ", sample.pixels.size(), " bytes and label ",
                           sample.label, ", expected ", bytes, " bytes and a label below ", of.classes));
  }
  const Augmentation how =
      context.augment ? draw_augmentation(context.seed, context.epoch, index, context.pad, of.flip) : Augmentation{};
  context.transform(sample.pixels.data(), how, out);
  return sample.label;
}

}  // namespace ntq
