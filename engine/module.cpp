#include "engine/module.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/printable.h"
#include "engine/autograd.h"

namespace ntq {
namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

const std::string& name_of(const Parameter& parameter) { return parameter.name; }
const std::string& name_of(const NamedTensors::value_type& buffer) { return buffer.first; }

template <class Entry>
bool has_name(const std::vector<Entry>& entries, const std::string& name) {
  return std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) { return name_of(entry) == name; });
}

/// A tensor under several names only under the first; `of(entry)` is the tensor.
template <class Entry, class Of>
void drop_repeats(std::vector<Entry>& entries, Of of) {
  std::unordered_set<const void*> seen;
  std::erase_if(entries, [&](const Entry& entry) { return !seen.insert(of(entry).id()).second; });
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
  for (const auto& [to, from] : pairs) Tensor(*to).copy_from(*from);
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> out;
  collect_parameters("", out);
  drop_repeats(out, [](const Parameter& p) { return p.value; });
  return out;
}

NamedTensors Module::named_parameters() const {
  NamedTensors out;
  for (const Parameter& p : parameters()) out.emplace_back(p.name, p.value);
  return out;
}

NamedTensors Module::named_buffers() const {
  NamedTensors out;
  collect_buffers("", out);
  drop_repeats(out, [](const auto& entry) { return entry.second; });
  return out;
}

NamedTensors Module::state_dict() const {
  NamedTensors out = named_parameters();
  const NamedTensors buffers = named_buffers();
  out.insert(out.end(), buffers.begin(), buffers.end());
  return out;
}

void Module::load_state_dict(const NamedTensors& state) {
  copy_by_name("load_state_dict", state_dict(), state);
  visit([](const std::string&, Module& module) { module.state_loaded(); });
}

void Module::to(Device device) {
  const NoGrad values_only;
  std::vector<std::pair<Tensor, Tensor>> moves;
  for (const auto& [name, tensor] : state_dict()) {
    if (tensor.dtype() == DType::f32 && tensor.device() != device) moves.emplace_back(tensor, tensor.to(device));
  }
  for (auto& [tensor, moved] : moves) tensor.take_memory(moved);
}

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

Tensor Module::register_parameter(const std::string& name, Tensor value, ParamTraits traits) {
  check_name(name);
  check(value.defined(), "register_parameter: \"", name, "\" is undefined");
  value.set_requires_grad(true);
  parameters_.push_back({name, value, std::move(traits)});
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

void Module::collect_parameters(const std::string& prefix, std::vector<Parameter>& out) const {
  for (const Parameter& p : parameters_) out.push_back({joined(prefix, p.name), p.value, p.traits});
  for (const auto& [name, child] : children_) child->collect_parameters(joined(prefix, name), out);
}

void Module::collect_buffers(const std::string& prefix, NamedTensors& out) const {
  for (const auto& [name, tensor] : buffers_) out.emplace_back(joined(prefix, name), tensor);
  for (const auto& [name, child] : children_) child->collect_buffers(joined(prefix, name), out);
}

}  // namespace ntq
