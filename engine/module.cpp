#include "engine/module.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "engine/backend/backend.h"
#include "engine/printable.h"

namespace ntq {
namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

bool has_name(const NamedTensors& tensors, const std::string& name) {
  return std::any_of(tensors.begin(), tensors.end(), [&](const auto& entry) { return entry.first == name; });
}

/// A tensor under several names only under the first.
NamedTensors without_repeats(const NamedTensors& tensors) {
  std::unordered_set<const void*> seen;
  NamedTensors out;
  for (const auto& entry : tensors) {
    if (seen.insert(entry.second.id()).second) out.push_back(entry);
  }
  return out;
}

void copy_values(const Tensor& to, const Tensor& from) {
  const Device device = to.device().type == DeviceType::cpu ? from.device() : to.device();
  if (to.bytes() > 0) backend_for(device).copy(to.raw(), from.raw(), to.bytes());
}

}  // namespace

void copy_by_name(const std::string& where, const NamedTensors& target, const NamedTensors& source) {
  std::unordered_map<std::string, const Tensor*> left;
  for (const auto& [name, tensor] : source) {
    check(tensor.defined(), where, ": tensor ", in_quotes(name), " is undefined");
    check(left.emplace(name, &tensor).second, where, ": tensor ", in_quotes(name), " is given twice");
  }
  std::vector<std::pair<const Tensor*, const Tensor*>> pairs;
  for (const auto& [name, tensor] : target) {
    const auto found = left.find(name);
    check(found != left.end(), where, ": tensor \"", name, "\" ", tensor.shape(), " is missing among the ",
          source.size(), " given");
    const Tensor& from = *found->second;
    check(from.shape() == tensor.shape() && from.dtype() == tensor.dtype(), where, ": tensor \"", name, "\": expected ",
          dtype_name(tensor.dtype()), " ", tensor.shape(), ", found ", dtype_name(from.dtype()), " ", from.shape());
    pairs.emplace_back(&tensor, &from);
    left.erase(found);
  }
  for (const auto& entry : source) {
    check(left.count(entry.first) == 0, where, ": there is no tensor ", in_quotes(entry.first),
          " to take the given one");
  }
  for (const auto& [to, from] : pairs) copy_values(*to, *from);
}

NamedTensors Module::named_parameters() const {
  NamedTensors out;
  collect("", true, out);
  return without_repeats(out);
}

NamedTensors Module::named_buffers() const {
  NamedTensors out;
  collect("", false, out);
  return without_repeats(out);
}

NamedTensors Module::state_dict() const {
  NamedTensors out = named_parameters();
  const NamedTensors buffers = named_buffers();
  out.insert(out.end(), buffers.begin(), buffers.end());
  return out;
}

void Module::load_state_dict(const NamedTensors& state) { copy_by_name("load_state_dict", state_dict(), state); }

void Module::visit(const std::function<void(const std::string&, Module&)>& visitor) { visit_as("", visitor); }

void Module::train(bool on) {
  training_ = on;
  for (const auto& entry : children_) entry.second->train(on);
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const auto& entry : named_parameters()) count += entry.second.numel();
  return count;
}

Tensor Module::register_parameter(const std::string& name, Tensor value) {
  check_name(name);
  check(value.defined(), "register_parameter: \"", name, "\" is undefined");
  value.set_requires_grad(true);
  parameters_.emplace_back(name, value);
  return value;
}

Tensor Module::register_buffer(const std::string& name, Tensor value) {
  check_name(name);
  check(value.defined(), "register_buffer: \"", name, "\" is undefined");
  buffers_.emplace_back(name, value);
  return value;
}

void Module::check_name(const std::string& name) const {
  const bool child = std::any_of(children_.begin(), children_.end(), [&](const auto& c) { return c.first == name; });
  check(!name.empty() && !child && !has_name(parameters_, name) && !has_name(buffers_, name), "Module: the name \"",
        name, "\" is empty or taken");
}

void Module::add_child(const std::string& name, std::shared_ptr<Module> child) {
  check_name(name);
  check(child != nullptr && child.get() != this, "register_module: \"", name, "\" is null or the module itself");
  children_.emplace_back(name, std::move(child));
}

void Module::visit_as(const std::string& name, const std::function<void(const std::string&, Module&)>& visitor) {
  visitor(name, *this);
  for (const auto& [child_name, child] : children_) child->visit_as(joined(name, child_name), visitor);
}

void Module::collect(const std::string& prefix, bool parameters, NamedTensors& out) const {
  for (const auto& [name, tensor] : parameters ? parameters_ : buffers_) out.emplace_back(joined(prefix, name), tensor);
  for (const auto& [name, child] : children_) child->collect(joined(prefix, name), parameters, out);
}

}  // namespace ntq
