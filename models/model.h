#pragma once
// Models by name.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/module.h"
#include "quant/quantizer.h"

namespace ntq {

enum class Stem { cifar, imagenet };

/// What a tensor may hold, as what makes it says: a ReLU and pooling behind it give nothing negative, normalised images
/// may be anything. Decides whether a layer's input is quantized signed.
enum class Values { any, non_negative };

/// Bits of one layer, 2..8 or 32; a side that is not given has the model's.
struct LayerBits {
  std::optional<int> weight = {}, activation = {};
};

struct ModelOptions {
  int64_t classes = 10, in_channels = 3;
  Stem stem = Stem::cifar;
  QuantSpec weight = {};                    ///< for every conv and linear layer; bits 32: full precision
  QuantSpec activation = {};                ///< for every conv and linear input; signed where that may be negative
  Values images = Values::any;              ///< what the model is given
  bool recompute_blocks = false;            ///< what is within a block is computed again for the gradient, and not kept
  bool zero_init_residual = false;          ///< the last batch norm of a block starts at 0: the block at its shortcut
  int skip_bits = 32;                       ///< of both inputs of a residual sum and of its result; 32: floats
  std::optional<int> first_last_bits = {};  ///< bits of the first conv and of the classifier, if not as the others
  std::map<std::string, LayerBits> bits_of = {};  ///< exceptions by dotted layer name; they beat all else
  uint64_t seed = 0;                              ///< of the initial weights and of the noise
};

/// Images {N,H,W,C} in, logits {N,classes} out. Throws std::invalid_argument naming what is allowed.
std::shared_ptr<Module> make_model(const std::string& name, const ModelOptions& options);
std::vector<std::string> model_names();

}  // namespace ntq
