#include "models/blocks.h"

#include "engine/ops/subsample.h"
#include "layers/sequential.h"

namespace ntq {
namespace {

/// 1x1 convolution and batch norm; null where the input can be added as it is.
std::shared_ptr<Module> projection(LayerMaker& make, const std::string& name, const BlockSizes& sizes) {
  if (sizes.in == sizes.out && sizes.stride == 1) return nullptr;
  auto conv = make.conv(name + ".downsample.0", {.in = sizes.in, .out = sizes.out, .kernel = 1, .stride = sizes.stride},
                        kReluOutput);
  return std::make_shared<Sequential>(std::initializer_list<std::shared_ptr<Module>>{conv, make.norm(sizes.out)});
}

}  // namespace

BasicBlock::BasicBlock(LayerMaker& make, const std::string& name, const BlockSizes& sizes, Shortcut shortcut)
    : sizes_(sizes) {
  const int64_t in = sizes.in, out = sizes.out;
  conv1_ =
      register_module("conv1", make.conv(name + ".conv1", {.in = in, .out = out, .stride = sizes.stride}, kReluOutput));
  bn1_ = register_module("bn1", make.norm(out));
  conv2_ = register_module("conv2", make.conv(name + ".conv2", {.in = out, .out = out}, kReluOutput));
  bn2_ = register_module("bn2", make.last_norm(out));
  if (shortcut == Shortcut::conv) downsample_ = projection(make, name, sizes);
  if (downsample_) register_module("downsample", downsample_);
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

Bottleneck::Bottleneck(LayerMaker& make, const std::string& name, const BlockSizes& sizes) {
  const int64_t in = sizes.in, inner = sizes.inner, out = sizes.out;
  conv1_ = register_module("conv1", make.conv(name + ".conv1", {.in = in, .out = inner, .kernel = 1}, kReluOutput));
  bn1_ = register_module("bn1", make.norm(inner));
  conv2_ = register_module(
      "conv2", make.conv(name + ".conv2", {.in = inner, .out = inner, .stride = sizes.stride}, kReluOutput));
  bn2_ = register_module("bn2", make.norm(inner));
  conv3_ = register_module("conv3", make.conv(name + ".conv3", {.in = inner, .out = out, .kernel = 1}, kReluOutput));
  bn3_ = register_module("bn3", make.last_norm(out));
  downsample_ = projection(make, name, sizes);
  if (downsample_) register_module("downsample", downsample_);
}

Tensor Bottleneck::forward(const Tensor& x) {
  const Tensor shortcut = downsample_ ? downsample_->forward(x) : x;
  Tensor y = bn1_->forward_relu(conv1_->forward(x));
  y = bn2_->forward_relu(conv2_->forward(y));
  return bn3_->forward_relu(conv3_->forward(y), shortcut);
}

}  // namespace ntq
