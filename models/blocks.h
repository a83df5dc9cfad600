#pragma once
// Residual blocks: He et al., "Deep Residual Learning" (arXiv 1512.03385), figure 5.
#include "models/layer_maker.h"

namespace ntq {

/// How a block that changes the shape carries its input: option A of the paper (subsample, pad with zero channels; no
/// parameters) or option B (1x1 convolution and batch norm).
enum class Shortcut { pad, conv };

struct BlockSizes {
  int64_t in = 1, out = 1, stride = 1;
  int64_t inner = 0;  ///< channels within a bottleneck
};

/// How a block ends: relu(branch + shortcut), or with ModelOptions::skip_bits out(relu(branch'(branch) +
/// shortcut'(...))), so that the sum reads and gives codes. A shortcut that is the block's input has codes already:
/// what makes it, block or stem, gives them. Children of the block: branch_skip_quant, shortcut_skip_quant (of a
/// projection), skip_quant.
class ResidualSum {
 public:
  ResidualSum() = default;
  ResidualSum(LayerMaker& make, const std::string& block, bool projects);
  bool quantizes() const { return out_ != nullptr; }
  /// relu(norm(x) + shortcut), fused where nothing is quantized.
  Tensor forward(BatchNorm2d& norm, const Tensor& x, const Tensor& shortcut) const;
  /// Each as register_module() takes it.
  template <class Register>
  void register_with(Register&& add) const {
    if (!quantizes()) return;
    add("branch_skip_quant", branch_);
    if (shortcut_) add("shortcut_skip_quant", shortcut_);
    add("skip_quant", out_);
  }

 private:
  std::shared_ptr<Quantizer> branch_, shortcut_, out_;
};

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)), both convolutions 3x3. Children: conv1, bn1, conv2, bn2 and,
/// for Shortcut::conv where the shape changes, downsample.0 and downsample.1.
class BasicBlock : public Module {
 public:
  BasicBlock(LayerMaker& make, const std::string& name, const BlockSizes& sizes, Shortcut shortcut);
  Tensor forward(const Tensor& x) override;

 private:
  BlockSizes sizes_;
  std::shared_ptr<Conv2d> conv1_, conv2_;
  std::shared_ptr<BatchNorm2d> bn1_, bn2_;
  std::shared_ptr<Module> downsample_;  // null: identity or padding
  ResidualSum sum_;
};

/// relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + shortcut(x)): 1x1 to `inner` channels, 3x3, 1x1 to `out`.
/// The stride is in the 3x3, as torchvision and timm have it (the paper has it in conv1). Children: conv1 ... bn3,
/// downsample.0 and downsample.1 where the shape changes.
class Bottleneck : public Module {
 public:
  Bottleneck(LayerMaker& make, const std::string& name, const BlockSizes& sizes);
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<Conv2d> conv1_, conv2_, conv3_;
  std::shared_ptr<BatchNorm2d> bn1_, bn2_, bn3_;
  std::shared_ptr<Module> downsample_;  // null: identity
  ResidualSum sum_;
};

}  // namespace ntq
