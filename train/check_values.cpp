#include "train/check_values.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"
#include "base/printable.h"
#include "base/text.h"

namespace ntq {
namespace {

constexpr std::string_view kStep = "_quant.step", kCalls = "_quant.calls", kVariance = "running_var";

[[noreturn]] void fail(const std::string& path, const std::string& name, int64_t element, float value,
                       const char* expected) {
  throw CheckpointError(concat(printable(path), ": tensor '", printable(name, 80), "': expected ", expected, ", found ",
                               value, " at element ", element, "; the file is damaged, use another copy"));
}

/// Fails for the first value that `allowed` does not hold for.
template <class Allowed>
void check_each(const std::string& path, const std::string& name, const Tensor& tensor, const char* expected,
                const Allowed& allowed) {
  if (tensor.dtype() != DType::f32) return;
  const float *begin = tensor.f32(), *end = begin + tensor.numel();
  const float* bad = std::find_if_not(begin, end, allowed);
  if (bad != end) fail(path, name, bad - begin, *bad, expected);
}

/// Names up to "_quant" of the quantizers that training has run.
std::set<std::string> used_quantizers(const NamedTensors& state) {
  std::set<std::string> used;
  for (const auto& [name, tensor] : state) {
    if (!name.ends_with(kCalls) || tensor.dtype() != DType::i64 || tensor.numel() != 1) continue;
    if (*tensor.data<int64_t>() != 0) used.insert(name.substr(0, name.rfind('.')));
  }
  return used;
}

}  // namespace

void check_finite(const NamedTensors& tensors, const std::string& path, const std::string& prefix) {
  for (const auto& [name, tensor] : tensors) {
    check_each(path, prefix + name, tensor, "finite numbers", [](float v) { return std::isfinite(v); });
  }
}

void check_values(const NamedTensors& state, const std::string& path) {
  const std::set<std::string> used = used_quantizers(state);
  for (const auto& [name, tensor] : state) {
    if (name.ends_with(kStep)) {
      const bool set = used.contains(name.substr(0, name.rfind('.')));
      check_each(path, name, tensor, set ? "a finite quantizer step above 0" : "a finite quantizer step of 0 or more",
                 [set](float v) { return std::isfinite(v) && (set ? v > 0 : v >= 0); });
    } else if (name.ends_with(kVariance)) {
      check_each(path, name, tensor, "a finite variance of 0 or more",
                 [](float v) { return std::isfinite(v) && v >= 0; });
    }
  }
  check_finite(state, path);
}

std::string skipped_note(const TensorFile& file) {
  constexpr size_t kNamed = 3;
  if (file.skipped.empty()) return "";
  return concat("; of a type that cannot be read: ", join_first(file.skipped, kNamed, [](const auto& entry) {
                  return concat(in_quotes(entry.name), " ", entry.dtype, " ", entry.shape());
                }));
}

}  // namespace ntq
