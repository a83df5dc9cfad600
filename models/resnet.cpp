// ResNet-18 and -34: He et al. (arXiv 1512.03385), table 1, with torchvision's names.
#include "models/families.h"
#include "models/residual_net.h"

namespace ntq {
namespace {

ModelBuilder resnet(std::vector<int> blocks) {
  return [plan = ResidualPlan{.blocks = std::move(blocks)}](const ModelOptions& options) {
    ResidualPlan with_stem = plan;
    with_stem.stem = options.stem;
    return std::make_shared<ResidualNet>(options, with_stem);
  };
}

}  // namespace

ModelList resnet_models() { return {{"resnet18", resnet({2, 2, 2, 2})}, {"resnet34", resnet({3, 4, 6, 3})}}; }

}  // namespace ntq
