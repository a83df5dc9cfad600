// Wide residual networks: Zagoruyko & Komodakis (arXiv 1605.07146). Depth 6n + 4, three stages of n pre-activation
// blocks, `width` times the channels of a CIFAR ResNet.
#include "engine/ops/binary.h"
#include "engine/ops/pool.h"
#include "engine/ops/unary.h"
#include "layers/sequential.h"
#include "models/blocks.h"
#include "models/families.h"

namespace ntq {
namespace {

/// a = relu(bn1(x)); conv2(relu(bn2(conv1(a)))) + (shortcut(a) where the width changes, else x).
class PreActBlock : public Module {
 public:
  PreActBlock(LayerMaker& make, const std::string& name, const BlockSizes& sizes) {
    const int64_t in = sizes.in, out = sizes.out, stride = sizes.stride;
    bn1_ = register_module("bn1", make.norm(in));
    conv1_ =
        register_module("conv1", make.conv(name + ".conv1", {.in = in, .out = out, .stride = stride}, kReluOutput));
    bn2_ = register_module("bn2", make.norm(out));
    conv2_ = register_module("conv2", make.conv(name + ".conv2", {.in = out, .out = out}, kReluOutput));
    if (in == out) return;
    const ConvSizes project{.in = in, .out = out, .kernel = 1, .stride = stride};
    shortcut_ = register_module("shortcut", make.conv(name + ".shortcut", project, kReluOutput));
  }

  Tensor forward(const Tensor& x) override {
    const Tensor active = bn1_->forward_relu(x);
    return add(conv2_->forward_behind(*bn2_, conv1_->forward(active)), shortcut_ ? shortcut_->forward(active) : x);
  }

 private:
  std::shared_ptr<BatchNorm2d> bn1_, bn2_;
  std::shared_ptr<Conv2d> conv1_, conv2_, shortcut_;
};

class WideResNet : public Module {
 public:
  WideResNet(const ModelOptions& options, int depth, int width) {
    LayerMaker make(options);
    conv1_ = register_module("conv1", make.first_conv("conv1", {.in = options.in_channels, .out = 16}));
    int64_t in = 16;
    for (const int64_t base : {16, 32, 64}) {
      const int64_t out = base * width;
      const std::string name = concat("layer", layers_.size() + 1);
      auto layer = std::make_shared<Sequential>();
      for (int block = 0; block < (depth - 4) / 6; ++block) {
        const int64_t stride = block == 0 && base != 16 ? 2 : 1;
        layer->append(std::make_shared<PreActBlock>(make, concat(name, ".", block),
                                                    BlockSizes{.in = in, .out = out, .stride = stride}));
        in = out;
      }
      layers_.push_back(register_module(name, layer));
    }
    bn1_ = register_module("bn1", make.norm(in));
    fc_ = register_module("fc", make.classifier("fc", in, kReluOutput));
    make.check_exceptions();
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = conv1_->forward(x);                                // {N,H,W,16}
    for (const auto& layer : layers_) y = layer->forward(y);      // {N,H/4,W/4,64 width}
    return fc_->forward(global_avg_pool(bn1_->forward_relu(y)));  // {N,classes}
  }

 private:
  std::shared_ptr<Conv2d> conv1_;
  std::vector<std::shared_ptr<Module>> layers_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::shared_ptr<Linear> fc_;
};

ModelBuilder wide_resnet(int depth, int width) {
  return [=](const ModelOptions& options) {
    check(options.stem == Stem::cifar, "wrn", depth, "-", width,
          ": has only the cifar stem; with the imagenet stem: resnet18 ... resnet152, wide_resnet50_2");
    check(!options.zero_init_residual, "wrn", depth, "-", width,
          ": no batch norm ends its blocks, so zero_init_residual means nothing here; leave it out");
    check(
        options.skip_bits == 32, "wrn", depth, "-", width,
        ": floats other than its sums lie between its layers, so --skip-bits would not make it integers; leave it out");
    return std::make_shared<WideResNet>(options, depth, width);
  };
}

}  // namespace

ModelList wide_resnet_models() { return {{"wrn16-4", wide_resnet(16, 4)}, {"wrn28-10", wide_resnet(28, 10)}}; }

}  // namespace ntq
