// ResNet-18 to -152: He et al. (arXiv 1512.03385), table 1; wide ResNet-50-2: Zagoruyko & Komodakis (arXiv 1605.07146).
// Names of models and tensors are torchvision's and timm's.
#include "models/families.h"
#include "models/residual_net.h"

namespace ntq {
namespace {

ModelBuilder resnet(const ResidualPlan& plan) {
  return [plan](const ModelOptions& options) {
    ResidualPlan with_stem = plan;
    with_stem.stem = options.stem;
    return std::make_shared<ResidualNet>(options, with_stem);
  };
}

ModelBuilder bottleneck_resnet(std::vector<int> blocks, int64_t widen = 1) {
  return resnet({.blocks = std::move(blocks), .kind = BlockKind::bottleneck, .widen = widen});
}

}  // namespace

ModelList resnet_models() {
  return {{"resnet18", resnet({.blocks = {2, 2, 2, 2}})},  {"resnet34", resnet({.blocks = {3, 4, 6, 3}})},
          {"resnet50", bottleneck_resnet({3, 4, 6, 3})},   {"resnet101", bottleneck_resnet({3, 4, 23, 3})},
          {"resnet152", bottleneck_resnet({3, 8, 36, 3})}, {"wide_resnet50_2", bottleneck_resnet({3, 4, 6, 3}, 2)}};
}

}  // namespace ntq
