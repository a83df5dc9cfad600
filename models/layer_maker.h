#pragma once
// Makes the layers of one model: quantization settings, exceptions and seeds follow from the dotted layer name.
#include <set>

#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "models/model.h"

namespace ntq {

/// Max and average pooling keep it.
constexpr Values kReluOutput = Values::non_negative;

struct ConvSizes {
  int64_t in = 1, out = 1, kernel = 3, stride = 1;  ///< padding is kernel / 2
};

/// A layer's weights and input are quantized where ModelOptions quantizes the model's; first_last_bits only changes the
/// bits; bits_of says them for a layer, whatever the model has. An input that may be negative stays in full precision
/// where the method quantizes unsigned ones only (its help says so). Who makes a layer says what its input may hold.
class LayerMaker {
 public:
  /// Throws std::invalid_argument for class or channel counts < 1.
  explicit LayerMaker(const ModelOptions& options);

  /// Reads the images.
  std::shared_ptr<Conv2d> first_conv(const std::string& name, const ConvSizes& sizes);
  std::shared_ptr<Conv2d> conv(const std::string& name, const ConvSizes& sizes, Values input);
  std::shared_ptr<BatchNorm2d> norm(int64_t channels) const;
  /// The norm that ends a block's branch: its weight starts at 0 when ModelOptions::zero_init_residual says so.
  std::shared_ptr<BatchNorm2d> last_norm(int64_t channels) const;
  /// The last layer: `features` -> classes, with bias.
  std::shared_ptr<Linear> classifier(const std::string& name, int64_t features, Values input);

  /// For what a residual sum reads or gives, of 8 bits as runtimes add them: LSQ whatever the method of the inputs, as
  /// these codes need an even step, zero among them, and both signs. Null where skip_bits is 32.
  std::shared_ptr<Quantizer> skip_quantizer(const std::string& name, Values values) const;

  /// Call when the model is complete: throws std::invalid_argument for names in bits_of that are no layer of it.
  void check_exceptions() const;

 private:
  enum class Place { first, inner, last };
  using Side = std::optional<int> LayerBits::*;
  QuantSpec spec(QuantSpec base, Side side, const std::string& name, Place place) const;
  QuantSpec input_spec(const std::string& name, Place place, Values input) const;
  std::shared_ptr<Conv2d> make_conv(const std::string& name, const ConvSizes& sizes, Place place, Values input);

  ModelOptions options_;
  std::set<std::string> made_;
};

}  // namespace ntq
