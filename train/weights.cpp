#include "train/weights.h"

#include "base/check.h"
#include "base/printable.h"
#include "engine/autograd.h"
#include "engine/ops/cast.h"
#include "layers/linear.h"
#include "train/check_values.h"
#include "train/public_names.h"

namespace ntq {
namespace {

bool is_quantizer_entry(const std::string& name) {
  const auto has = [&](const char* child) { return name.find(child) != std::string::npos; };
  return has("weight_quant.") || has("input_quant.") || has("skip_quant.");
}

/// {outer,rows,columns} -> {outer,columns,rows}.
template <class T>
Tensor turn(const Tensor& x, const Shape& shape, int64_t rows, int64_t columns) {
  Tensor y = Tensor::empty(shape, x.dtype());
  const T* from = x.data<T>();
  T* to = y.data<T>();
  for (const T* end = from + x.numel(); from < end; from += rows * columns) {
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) *to++ = from[r * columns + c];
    }
  }
  return y;
}

/// Values of {Cout,Cin,Kh,Kw} as {Cout,Kh,Kw,Cin}.
Tensor to_channels_last(const Tensor& w) {
  return turn<float>(w, {w.size(0), w.size(2), w.size(3), w.size(1)}, w.size(1), w.size(2) * w.size(3));
}

/// The way back, for values of any type.
template <class T>
Tensor to_channels_first(const Tensor& w) {
  return turn<T>(w, {w.size(0), w.size(3), w.size(1), w.size(2)}, w.size(1) * w.size(2), w.size(3));
}

/// Dotted name of the last linear layer.
std::string classifier_name(Module& model) {
  std::string last;
  model.visit([&](const std::string& name, Module& module) {
    if (dynamic_cast<Linear*>(&module) != nullptr) last = name;
  });
  return last;
}

/// Class counts of file and model when they differ and nothing else does; {0, 0} otherwise.
std::pair<int64_t, int64_t> other_classes(const NamedTensors& state, const Weights& weights, const std::string& head) {
  const auto found = weights.tensors.find(head + "weight");
  for (const auto& [name, target] : state) {
    if (name != head + "weight" || found == weights.tensors.end()) continue;
    const Shape& shape = found->second.shape();
    if (shape.rank() == 2 && shape[1] == target.size(1) && shape[0] != target.size(0))
      return {shape[0], target.size(0)};
  }
  return {0, 0};
}

bool is_float(DType type) {
  return type == DType::f32 || type == DType::f64 || type == DType::f16 || type == DType::bf16;
}

/// The file's names, in its order: of the tensors, then of those that cannot be read.
std::vector<std::string> names_in(const TensorFile& file) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors) names.push_back(name);
  for (const auto& info : file.skipped) names.push_back(info.name);
  return names;
}

/// One name for each tensor, whether its prefix comes off here or stays.
void check_names(const std::vector<std::string>& names, const std::string& path) {
  std::map<std::string, const std::string*> first;
  for (const std::string& name : names) {
    if (is_counter(name)) continue;
    const auto [other, fresh] = first.try_emplace(our_name(bare_name(name)), &name);
    if (fresh) continue;
    throw CheckpointError(concat(printable(path), ": two tensors for one name: ", in_quotes(*other->second), " and ",
                                 in_quotes(name), " are both ", in_quotes(other->first),
                                 "; keep one of them in the file"));
  }
}

safetensors::Entry info_of(const std::string& name, const Tensor& tensor) {
  const auto sizes = tensor.shape().sizes();
  return {name, std::string(dtype_name(tensor.dtype())), {sizes.begin(), sizes.end()}};
}

/// That the model does not need it.
void check_not_skipped(const std::string& name, const Tensor& target, const Weights& weights, const LoadOptions& o) {
  const auto found = weights.skipped.find(name);
  if (found == weights.skipped.end()) return;
  throw CheckpointError(concat(printable(o.path), ": tensor ", in_quotes(found->second.name), ": expected ",
                               target.shape(), " ", dtype_name(target.dtype()), " of ", o.model, ", found ",
                               found->second.shape(), " ", found->second.dtype,
                               ", which is no type of weights here; convert it to F32 first"));
}

}  // namespace

Weights weights_of(const Checkpoint& checkpoint, const std::string& path, bool average) {
  const NamedTensors& chosen = average ? checkpoint.ema : checkpoint.model;
  check_values(chosen, path);
  Weights out;
  out.tensors.insert(chosen.begin(), chosen.end());
  for (const auto& info : checkpoint.file.skipped) out.skipped[info.name] = info;
  return out;
}

Weights read_weights(const TensorFile& file, const std::string& path) {
  if (!is_checkpoint(file)) return read_public_weights(file, path);
  const Checkpoint checkpoint = read_checkpoint(file, path);
  return weights_of(checkpoint, path, checkpoint.has_ema());
}

Weights read_public_weights(const TensorFile& file, const std::string& path) {
  const auto exported = file.metadata.find("ntq.exported");
  if (exported != file.metadata.end() && exported->second == "int8") {
    throw CheckpointError(printable(path) +
                          ": holds int8 codes, which are weights only times their steps; export the checkpoint "
                          "with --quantized, or as it is");
  }
  const std::vector<std::string> names = names_in(file);
  check_names(names, path);
  const std::string prefix = shared_prefix(names);
  const auto ours = [&](const std::string& name) {
    return our_name(name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name);
  };
  Weights out;
  for (const auto& [name, tensor] : file.tensors) {
    if (is_counter(name)) continue;
    if (!is_float(tensor.dtype())) {
      out.skipped[ours(name)] = info_of(name, tensor);
      continue;
    }
    const Tensor value = cast_f32(tensor);
    out.tensors[ours(name)] = tensor.shape().rank() == 4 ? to_channels_last(value) : value;
  }
  for (const auto& info : file.skipped) {
    if (!is_counter(info.name)) out.skipped[ours(info.name)] = info;
  }
  return out;
}

NamedTensors public_weights(Module& model, Export what) {
  const NoGrad no_grad;
  const bool quantized = what != Export::weights;
  std::map<std::string, Tensor> values;  // quantized ones, by name
  model.visit([&](const std::string& name, Module& module) {
    const auto* layer = dynamic_cast<const WeightedLayer*>(&module);
    if (layer == nullptr) return;
    const auto& q = layer->weight_quantizer();
    if (!q || !quantized) return;
    values[name + ".weight"] = what == Export::codes ? q->encode(layer->weight()).values : q->forward(layer->weight());
    if (layer->bias()) values[name + ".bias"] = layer->quantized_bias();
  });
  NamedTensors out;
  for (const auto& [name, tensor] : model.state_dict()) {
    if (is_quantizer_entry(name) && !(quantized && (name.ends_with(".step") || name.ends_with(".offset")))) continue;
    const auto found = values.find(name);
    const Tensor value = found == values.end() ? tensor.detach() : found->second;
    const bool filters = value.shape().rank() == 4;
    out.emplace_back(name, !filters                     ? value
                           : value.dtype() == DType::i8 ? to_channels_first<int8_t>(value)
                           : value.dtype() == DType::u8 ? to_channels_first<uint8_t>(value)
                                                        : to_channels_first<float>(value));
  }
  return out;
}

LoadReport load_weights(Module& model, Weights weights, const LoadOptions& o) {
  LoadReport report;
  const NamedTensors state = model.state_dict();
  const std::string head = classifier_name(model) + ".";
  const auto [there, here] = other_classes(state, weights, head);
  const bool other_count = o.new_head && there != here, drop_head = other_count || !o.keep_head;
  if (other_count) {
    report.notices.push_back(concat("the file has ", there, " classes, the data set ", here, ": the classifier ",
                                    head.substr(0, head.size() - 1), " starts anew"));
  }
  std::vector<std::pair<Tensor, Tensor>> copies;  // to, from
  NamedTensors values;                            // from, by our names
  for (const auto& [name, target] : state) {
    const bool step = is_quantizer_entry(name);
    const auto found = weights.tensors.find(name);
    const bool skip = (step && !o.keep_steps) || (drop_head && name.rfind(head, 0) == 0);
    if (found == weights.tensors.end() || skip) {
      if (!skip) check_not_skipped(name, target, weights, o);
      if (found != weights.tensors.end()) weights.tensors.erase(found);
      if (step) {
        report.fresh.push_back(name);
      } else if (!skip) {
        report.missing.push_back(name);
      }
      continue;
    }
    const Tensor& source = found->second;
    if (source.shape() != target.shape() || source.dtype() != target.dtype()) {
      throw CheckpointError(concat(printable(o.path), ": tensor '", name, "': expected ", target.shape(), " ",
                                   dtype_name(target.dtype()), " of ", o.model, ", found ", source.shape(), " ",
                                   dtype_name(source.dtype()), "; is it of another model?"));
    }
    report.keeps_head = report.keeps_head || name.rfind(head, 0) == 0;
    copies.emplace_back(target, source);
    values.emplace_back(name, source);
    weights.tensors.erase(found);
  }
  for (const auto& [name, tensor] : weights.tensors) report.left_over.push_back(name);
  for (const auto& [name, info] : weights.skipped) report.left_over.push_back(name);
  report.matched = static_cast<int64_t>(copies.size());
  if (copies.empty()) {
    throw CheckpointError(
        concat(o.path, ": expected weights of ", o.model, ", found no tensor of a known name",
               report.left_over.empty() ? "" : "; the first is '" + printable(report.left_over[0], 80) + "'"));
  }
  check_values(values, o.path);
  for (auto& [target, source] : copies) target.copy_from(source);
  return report;
}

LoadReport import_weights(Module& model, const std::string& path, LoadOptions options) {
  options.path = path;
  return load_weights(model, read_weights(load_tensors(path), path), options);
}

}  // namespace ntq
