#include "models/basic_block.h"

#include "engine/ops/elementwise.h"
#include "layers/sequential.h"

namespace ntq {

BasicBlock::BasicBlock(LayerMaker& make, const std::string& name, const BlockSizes& sizes, Shortcut shortcut)
    : sizes_(sizes) {
  const auto [in, out, stride] = sizes;
  conv1_ = register_module("conv1", make.conv(name + ".conv1", {.in = in, .out = out, .stride = stride}));
  bn1_ = register_module("bn1", make.norm(out));
  conv2_ = register_module("conv2", make.conv(name + ".conv2", {.in = out, .out = out}));
  bn2_ = register_module("bn2", make.norm(out));
  if (shortcut == Shortcut::pad || (in == out && stride == 1)) return;
  auto project = make.conv(name + ".downsample.0", {.in = in, .out = out, .kernel = 1, .stride = stride});
  downsample_ = std::make_shared<Sequential>(std::initializer_list<std::shared_ptr<Module>>{project, make.norm(out)});
  register_module("downsample", downsample_);
}

Tensor BasicBlock::forward(const Tensor& x) {
  Tensor shortcut = x;
  if (downsample_) {
    shortcut = downsample_->forward(x);
  } else if (sizes_.stride != 1 || sizes_.in != sizes_.out) {
    shortcut = subsample_pad_channels(x, sizes_.stride, (sizes_.out - sizes_.in) / 2);
  }
  const Tensor inner = bn1_->forward_relu(conv1_->forward(x));
  return bn2_->forward_relu(conv2_->forward(inner), shortcut);
}

}  // namespace ntq
