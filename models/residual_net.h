#pragma once
// A stem, stages of residual blocks that halve the resolution and double the channels, global pooling, a classifier.
#include <vector>

#include "models/blocks.h"

namespace ntq {

enum class BlockKind { basic, bottleneck };

struct ResidualPlan {
  int64_t channels = 64;    ///< of the stem, and the base of the first stage
  std::vector<int> blocks;  ///< per stage
  BlockKind kind = BlockKind::basic;
  int64_t widen = 1;                   ///< a bottleneck's inner channels, as a multiple of the stage's base
  Shortcut shortcut = Shortcut::conv;  ///< of basic blocks
  Stem stem = Stem::cifar;             ///< cifar: 3x3, full resolution; imagenet: 7x7 / 2, then 3x3 max pooling / 2
};

/// Children: conv1, bn1, with ModelOptions::skip_bits skip_quant, layer1, layer2, ..., fc. A bottleneck stage gives
/// four times its base channels.
class ResidualNet : public Module {
 public:
  ResidualNet(const ModelOptions& options, const ResidualPlan& plan);
  Tensor forward(const Tensor& x) override;

 private:
  Stem stem_;
  std::shared_ptr<Conv2d> conv1_;
  std::shared_ptr<BatchNorm2d> bn1_;
  std::shared_ptr<Quantizer> skip_;              // the first block's shortcut; may be null
  std::vector<std::shared_ptr<Module>> blocks_;  // of all stages
  bool recompute_;
  std::shared_ptr<Linear> fc_;
};

}  // namespace ntq
