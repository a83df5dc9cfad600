// ResNet-18 and -34: He et al. (arXiv 1512.03385), table 1, with torchvision's names. The cifar stem keeps the full
// resolution, for 32x32 images.
#include "engine/ops/pool.h"
#include "layers/sequential.h"
#include "models/basic_block.h"
#include "models/families.h"

namespace ntq {
namespace {

class ResNet : public Module {
 public:
  ResNet(const ModelOptions& options, const std::vector<int>& blocks) : stem_(options.stem) {
    LayerMaker make(options);
    const ConvSizes stem = stem_ == Stem::imagenet ? ConvSizes{.kernel = 7, .stride = 2} : ConvSizes{};
    conv1_ = register_module(
        "conv1",
        make.first_conv("conv1", {.in = options.in_channels, .out = 64, .kernel = stem.kernel, .stride = stem.stride}));
    bn1_ = register_module("bn1", make.norm(64));
    int64_t in = 64, out = 64;
    for (const int count : blocks) {
      const std::string name = concat("layer", layers_.size() + 1);
      auto layer = std::make_shared<Sequential>();
      for (int block = 0; block < count; ++block) {
        const BlockSizes sizes{.in = in, .out = out, .stride = in == out ? 1 : 2};
        layer->append(std::make_shared<BasicBlock>(make, concat(name, ".", block), sizes, Shortcut::conv));
        in = out;
      }
      layers_.push_back(register_module(name, layer));
      out *= 2;
    }
    fc_ = register_module("fc", make.classifier("fc", in));
    make.check_exceptions();
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = bn1_->forward_relu(conv1_->forward(x));  // cifar {N,H,W,64}, imagenet {N,H/2,W/2,64}
    if (stem_ == Stem::imagenet) y = max_pool2d(y, {.kernel = 3, .stride = 2, .padding = 1});
    for (const auto& layer : layers_) y = layer->forward(y);  // {N,h/8,w/8,512}
    return fc_->forward(global_avg_pool(y));
  }

 private:
  Stem stem_;
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::vector<std::shared_ptr<Module>> layers_;
  std::shared_ptr<Linear> fc_;
};

ModelBuilder resnet(std::vector<int> blocks) {
  return [blocks](const ModelOptions& options) { return std::make_shared<ResNet>(options, blocks); };
}

}  // namespace

ModelList resnet_models() { return {{"resnet18", resnet({2, 2, 2, 2})}, {"resnet34", resnet({3, 4, 6, 3})}}; }

}  // namespace ntq
