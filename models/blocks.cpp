#include "models/blocks.h"

#include "engine/ops/binary.h"
#include "engine/ops/subsample.h"
#include "engine/ops/unary.h"
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

ResidualSum::ResidualSum(LayerMaker& make, const std::string& block, bool projects)
    : branch_(make.skip_quantizer(block + ".branch_skip_quant", Values::any)),
      out_(make.skip_quantizer(block + ".skip_quant", kReluOutput)) {
  if (projects) shortcut_ = make.skip_quantizer(block + ".shortcut_skip_quant", Values::any);
}

Tensor ResidualSum::forward(BatchNorm2d& norm, const Tensor& x, const Tensor& shortcut) const {
  if (!quantizes()) return norm.forward_relu(x, shortcut);
  const Tensor branch = apply_quantizer(branch_, norm.forward(x));
  return apply_quantizer(out_, relu(add(branch, apply_quantizer(shortcut_, shortcut))));
}

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
  sum_ = ResidualSum(make, name, downsample_ != nullptr);
  sum_.register_with([this](const char* child, const auto& quantizer) { register_module(child, quantizer); });
}

Tensor BasicBlock::forward(const Tensor& x) {
  Tensor shortcut = x;
  if (downsample_) {
    shortcut = downsample_->forward(x);
  } else if (sizes_.stride != 1 || sizes_.in != sizes_.out) {
    shortcut = subsample_pad_channels(x, sizes_.stride, (sizes_.out - sizes_.in) / 2);
  }
  return sum_.forward(*bn2_, conv2_->forward_behind(*bn1_, conv1_->forward(x)), shortcut);
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
  sum_ = ResidualSum(make, name, downsample_ != nullptr);
  sum_.register_with([this](const char* child, const auto& quantizer) { register_module(child, quantizer); });
}

Tensor Bottleneck::forward(const Tensor& x) {
  const Tensor shortcut = downsample_ ? downsample_->forward(x) : x;
  const Tensor y = conv2_->forward_behind(*bn1_, conv1_->forward(x));
  return sum_.forward(*bn3_, conv3_->forward_behind(*bn2_, y), shortcut);
}

}  // namespace ntq
