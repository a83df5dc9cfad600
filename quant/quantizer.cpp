#include "quant/quantizer.h"

#include <cmath>
#include <map>

#include "base/text.h"
#include "quant/methods/builtin.h"

namespace ntq {
namespace {

std::map<std::string, QuantizerFactory>& registry() {
  static std::map<std::string, QuantizerFactory> methods = builtin_methods();
  return methods;
}

std::string place(const QuantSpec& spec) { return spec.name.empty() ? "quantizer" : spec.name; }

}  // namespace

Quantizer::Quantizer(QuantSpec spec) : spec_(std::move(spec)) {}

QuantRange Quantizer::range() const {
  const int levels = 1 << spec_.bits;
  if (!spec_.is_signed) return {0.0f, static_cast<float>(levels - 1)};
  return {static_cast<float>(-levels / 2), static_cast<float>(levels / 2 - 1)};
}

void register_quantizer(const std::string& name, QuantizerFactory factory) {
  check(!name.empty() && name != "fp", "register_quantizer: '", name, "' cannot name a method; 'fp' stands for none");
  check(factory != nullptr, "register_quantizer: method '", name, "' has no factory");
  check(registry().emplace(name, std::move(factory)).second, "register_quantizer: method '", name,
        "' is registered already; choose another name (taken: ", join(quantizer_names()), ")");
}

std::vector<std::string> quantizer_names() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : registry()) names.push_back(name);
  return names;
}

std::shared_ptr<Quantizer> make_quantizer(const QuantSpec& spec) {
  if (spec.bits == 32) return nullptr;
  check(spec.bits >= 2 && spec.bits <= 8, place(spec), ": bits must be 2 to 8, or 32 for full precision, found ",
        spec.bits);
  check(spec.noise_c >= 0.0f && spec.noise_c < 1.0f, place(spec), ": noise c must lie in [0, 1), found ", spec.noise_c);
  check(std::isfinite(spec.noise_k) && spec.noise_k >= 0.0f, place(spec), ": noise k must be finite and >= 0, found ",
        spec.noise_k);
  const auto method = registry().find(spec.method);
  check(method != registry().end(), place(spec), ": no quantization method '", spec.method,
        "'; there are: ", join(quantizer_names()), " (full precision is bits 32)");
  auto quantizer = method->second(spec);
  check(quantizer != nullptr, place(spec), ": the factory of method '", spec.method, "' returned nothing");
  return quantizer;
}

}  // namespace ntq
