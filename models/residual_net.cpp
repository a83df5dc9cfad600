#include "models/residual_net.h"

#include <algorithm>

#include "engine/ops/pool.h"
#include "engine/recompute.h"
#include "layers/sequential.h"
#include "quant/tree.h"

namespace ntq {
namespace {

std::shared_ptr<Module> make_block(LayerMaker& make, const std::string& name, const BlockSizes& sizes,
                                   const ResidualPlan& plan) {
  if (plan.kind == BlockKind::bottleneck) return std::make_shared<Bottleneck>(make, name, sizes);
  return std::make_shared<BasicBlock>(make, name, sizes, plan.shortcut);
}

/// Recomputing puts buffers back as they were: what a first input sets has to be there.
bool is_ready(Module& block) {
  const Quantizers quantizers(block);
  return std::all_of(quantizers.begin(), quantizers.end(), [](const Quantizer* q) { return q->ready(); });
}

}  // namespace

ResidualNet::ResidualNet(const ModelOptions& options, const ResidualPlan& plan)
    : stem_(plan.stem), recompute_(options.recompute_blocks) {
  LayerMaker make(options);
  const int64_t expansion = plan.kind == BlockKind::bottleneck ? 4 : 1;
  int64_t in = plan.channels, base = plan.channels;
  ConvSizes stem{.in = options.in_channels, .out = in};
  if (stem_ == Stem::imagenet) stem.kernel = 7, stem.stride = 2;
  conv1_ = register_module("conv1", make.first_conv("conv1", stem));
  bn1_ = register_module("bn1", make.norm(in));
  skip_ = make.skip_quantizer("skip_quant", kReluOutput);
  if (skip_) register_module("skip_quant", skip_);
  int stage = 0;
  for (const int count : plan.blocks) {
    const std::string name = concat("layer", ++stage);
    const auto layer = std::make_shared<Sequential>();
    for (int block = 0; block < count; ++block) {
      const int64_t stride = block == 0 && stage > 1 ? 2 : 1;
      const BlockSizes sizes{.in = in, .out = base * expansion, .stride = stride, .inner = base * plan.widen};
      blocks_.push_back(make_block(make, concat(name, ".", block), sizes, plan));
      layer->append(blocks_.back());
      in = sizes.out;
    }
    register_module(name, layer);
    base *= 2;
  }
  fc_ = register_module("fc", make.classifier("fc", in, kReluOutput));
  make.check_exceptions();
}

Tensor ResidualNet::forward(const Tensor& x) {
  Tensor y = apply_quantizer(skip_, bn1_->forward_relu(conv1_->forward(x)));  // cifar {N,H,W,C}, imagenet {N,H/2,W/2,C}
  if (stem_ == Stem::imagenet) y = max_pool2d(y, {.kernel = 3, .stride = 2, .padding = 1});
  for (const auto& block : blocks_) y = recompute_ && is_ready(*block) ? recomputed(block, y) : block->forward(y);
  return fc_->forward(global_avg_pool(y));  // {N,classes}
}

}  // namespace ntq
