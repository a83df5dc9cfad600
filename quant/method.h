#pragma once
// QuantMethod: what a quantization method says of itself, in its own file; the registry; quantizers by name.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quant/quantizer.h"

namespace ntq {

using QuantizerFactory = std::function<std::shared_ptr<Quantizer>(const QuantSpec&)>;

/// What a method can quantize; make_quantizer() refuses the rest.
struct QuantScope {
  int least_bits = 2, most_bits = 8;
  bool weights = true, signed_inputs = true, unsigned_inputs = true;
  bool per_channel = false;  ///< a step for each output channel of a weight
};

struct QuantMethod {
  std::string name;
  std::string help;               ///< one line: what it is, and its paper
  std::vector<Setting> settings;  ///< all that the method reads from QuantSpec::settings
  QuantScope scope = {};
  QuantizerFactory make;  ///< gets every setting of its side, checked
};

/// Adds a method. Call it before building models and before reading options. Throws std::invalid_argument for a name
/// that is taken, and for settings without a name, with a taken one or with a default that they do not allow.
void register_quantizer(QuantMethod method);
/// Names of all methods, sorted; "fp" (full precision) is not one, as it needs no quantizer.
std::vector<std::string> quantizer_names();
/// Throws std::invalid_argument, naming those that there are.
const QuantMethod& quant_method(const std::string& name);

/// Whether quantizers of weights, or else of inputs, read the setting.
inline bool concerns(const Setting& setting, bool weights) {
  return setting.side != (weights ? Side::inputs : Side::weights);
}
/// Every setting of the side: as given, else its default; those of the other side are left out, as one spec may serve
/// both. Throws std::invalid_argument for a name that the method does not have or a value that it does not allow; the
/// message lists its settings.
Settings complete_settings(const QuantMethod& method, bool weights, const Settings& given);
/// "noise: a number in [0, 1) [0.2], step_init: lsq or mse [lsq]"; "none".
std::string settings_text(const QuantMethod& method);
/// What --help-method prints.
std::string describe(const QuantMethod& method);

/// Null for bits 32; throws std::invalid_argument, naming the layer, for an unknown method, for what it cannot quantize
/// and for settings that it does not have or allow.
std::shared_ptr<Quantizer> make_quantizer(QuantSpec spec);

}  // namespace ntq
