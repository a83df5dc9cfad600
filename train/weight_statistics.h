#pragma once
// What becomes of a model's weights while they are trained, and how many of them oscillate.
#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "train/weight_figures.h"

namespace ntq {

/// A weight oscillates while the frequency at which its code turns back (quant/turns.h), with this momentum and a look
/// at each optimizer step, is above this.
constexpr float kTurnsMomentum = 0.01f, kOscillates = 0.005f;
/// Of a layer with more weights so many are looked at, in short runs all over it: the share's standard error is then
/// 0.002 at most.
constexpr int64_t kMostLookedAt = 1 << 16;

/// Of all layers that have weights. look() leaves its figures on the device; read() takes them down some steps later.
class WeightStatistics {
 public:
  explicit WeightStatistics(Module& model);
  /// Behind an optimizer step: looks at the codes; at all figures too where read() shall give them.
  void look(bool figures);
  /// Takes the oldest look down that has not been; its figures by layer, in the model's order, or none.
  std::vector<WeightFigures> read();
  /// The figures as they are now, with the oscillations of all that has been read.
  std::vector<WeightFigures> now() const;

  /// Of each layer with codes: "<layer>.code", ".direction" and ".frequency", the bits of its float32 as integers: all
  /// floating-point tensors of a checkpoint are the training's. A look that waits is no part of it.
  NamedTensors state_dict() const;
  /// A layer that `state` does not know starts anew. Throws std::invalid_argument for other sizes or types than the
  /// model's, and for values that no looks leave.
  void load_state_dict(const NamedTensors& state);

 private:
  struct Layer {
    std::string name;
    const WeightedLayer* of;
    Tensor code = {}, direction = {}, frequency = {};  ///< undefined before the first look

    std::optional<bool> alone = {};  ///< a weight's code needs no other weight; nothing: not asked yet

    int64_t count() const { return std::min(of->weight().numel(), kMostLookedAt); }
    Tensor codes();
    void follow(const Tensor& codes);
    WeightFigures figures(const WeightTensors& tensors) const;
  };
  struct Look {
    std::vector<Tensor> codes;           ///< by layer; undefined: has none
    std::vector<WeightTensors> figures;  ///< by layer, or none
  };
  std::vector<Layer> layers_;
  std::deque<Look> waiting_;
};

}  // namespace ntq
