#include "models/residual_net.h"

#include "engine/ops/pool.h"
#include "layers/sequential.h"

namespace ntq {

ResidualNet::ResidualNet(const ModelOptions& options, const ResidualPlan& plan) : stem_(plan.stem) {
  LayerMaker make(options);
  int64_t in = plan.channels, out = plan.channels;
  ConvSizes stem{.in = options.in_channels, .out = out};
  if (stem_ == Stem::imagenet) stem.kernel = 7, stem.stride = 2;
  conv1_ = register_module("conv1", make.first_conv("conv1", stem));
  bn1_ = register_module("bn1", make.norm(out));
  for (const int count : plan.blocks) {
    const std::string name = concat("layer", layers_.size() + 1);
    const auto layer = std::make_shared<Sequential>();
    for (int block = 0; block < count; ++block) {
      const BlockSizes sizes{.in = in, .out = out, .stride = in == out ? 1 : 2};
      layer->append(std::make_shared<BasicBlock>(make, concat(name, ".", block), sizes, plan.shortcut));
      in = out;
    }
    layers_.push_back(register_module(name, layer));
    out *= 2;
  }
  fc_ = register_module("fc", make.classifier("fc", in));
  make.check_exceptions();
}

Tensor ResidualNet::forward(const Tensor& x) {
  Tensor y = bn1_->forward_relu(conv1_->forward(x));  // cifar {N,H,W,C}, imagenet {N,H/2,W/2,C}
  if (stem_ == Stem::imagenet) y = max_pool2d(y, {.kernel = 3, .stride = 2, .padding = 1});
  for (const auto& layer : layers_) y = layer->forward(y);
  return fc_->forward(global_avg_pool(y));  // {N,classes}
}

}  // namespace ntq
