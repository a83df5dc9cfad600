// ResNets for 32x32 images: He et al. (arXiv 1512.03385), section 4.2. Depth 6n + 2: three stages of n blocks.
#include "engine/ops/pool.h"
#include "layers/sequential.h"
#include "models/basic_block.h"
#include "models/families.h"

namespace ntq {
namespace {

class CifarResNet : public Module {
 public:
  CifarResNet(const ModelOptions& options, int depth, Shortcut shortcut) {
    LayerMaker make(options);
    conv1_ = register_module("conv1", make.first_conv("conv1", {.in = options.in_channels, .out = 16}));
    bn1_ = register_module("bn1", make.norm(16));
    int64_t in = 16;
    for (const int64_t out : {16, 32, 64}) {
      const std::string name = concat("layer", layers_.size() + 1);
      auto layer = std::make_shared<Sequential>();
      for (int block = 0; block < (depth - 2) / 6; ++block) {
        const BlockSizes sizes{.in = in, .out = out, .stride = in == out ? 1 : 2};
        layer->append(std::make_shared<BasicBlock>(make, concat(name, ".", block), sizes, shortcut));
        in = out;
      }
      layers_.push_back(register_module(name, layer));
    }
    fc_ = register_module("fc", make.classifier("fc", 64));
    make.check_exceptions();
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = bn1_->forward_relu(conv1_->forward(x));        // {N,H,W,16}
    for (const auto& layer : layers_) y = layer->forward(y);  // {N,H/4,W/4,64}
    return fc_->forward(global_avg_pool(y));                  // {N,classes}
  }

 private:
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::vector<std::shared_ptr<Module>> layers_;
  std::shared_ptr<Linear> fc_;
};

}  // namespace

ModelList resnet_cifar_models() {
  ModelList list;
  for (const int depth : {20, 32, 44, 56, 110}) {
    for (const Shortcut shortcut : {Shortcut::pad, Shortcut::conv}) {
      const std::string name = concat("resnet", depth, shortcut == Shortcut::conv ? "-b" : "");
      list[name] = [=](const ModelOptions& options) {
        check(options.stem == Stem::cifar, name, ": has only the cifar stem; imagenet: resnet18, resnet34");
        return std::make_shared<CifarResNet>(options, depth, shortcut);
      };
    }
  }
  return list;
}

}  // namespace ntq
