// ResNets for 32x32 images: He et al. (arXiv 1512.03385), section 4.2. Depth 6n + 2: three stages of n blocks.
#include "models/families.h"
#include "models/residual_net.h"

namespace ntq {
namespace {

ModelBuilder cifar_resnet(const std::string& name, int depth, Shortcut shortcut) {
  const int n = (depth - 2) / 6;
  const ResidualPlan plan{.channels = 16, .blocks = {n, n, n}, .shortcut = shortcut};
  return [name, plan](const ModelOptions& options) {
    check(options.stem == Stem::cifar, name,
          ": has only the cifar stem; with the imagenet stem: resnet18 ... resnet152, wide_resnet50_2");
    return std::make_shared<ResidualNet>(options, plan);
  };
}

}  // namespace

ModelList resnet_cifar_models() {
  ModelList list;
  for (const int depth : {20, 32, 44, 56, 110}) {
    const std::string name = concat("resnet", depth);
    list[name] = cifar_resnet(name, depth, Shortcut::pad);
    list[name + "-b"] = cifar_resnet(name + "-b", depth, Shortcut::conv);
  }
  return list;
}

}  // namespace ntq
