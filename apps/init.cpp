#include "apps/init.h"

#include <map>
#include <set>

#include "apps/checkpoint.h"
#include "engine/check.h"
#include "layers/linear.h"

namespace ntq::apps {
namespace {

bool is_quantizer_entry(const std::string& name) {
  return name.find("weight_quant.") != std::string::npos || name.find("input_quant.") != std::string::npos;
}

/// Values of {Cout,Cin,Kh,Kw} as {Cout,Kh,Kw,Cin}.
Tensor to_channels_last(const Tensor& w) {
  const int64_t out = w.size(0), in = w.size(1), kernel = w.size(2) * w.size(3);
  Tensor y = Tensor::empty({out, w.size(2), w.size(3), in});
  const float* from = w.f32();
  float* to = y.f32();
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t k = 0; k < kernel; ++k) {
      for (int64_t i = 0; i < in; ++i) *to++ = from[(o * in + i) * kernel + k];
    }
  }
  return y;
}

/// Model tensors of the file by name, filters in our layout.
std::map<std::string, Tensor> read_weights(const TensorFile& file) {
  const bool ours = is_ntq_checkpoint(file);
  std::map<std::string, Tensor> out;
  for (const auto& [name, tensor] : file.tensors) {
    if (ours && (name.rfind("optim.", 0) == 0 || name.rfind("ema.", 0) == 0)) continue;
    const bool turn = !ours && tensor.shape().rank() == 4 && tensor.dtype() == DType::f32;
    out[name] = turn ? to_channels_last(tensor) : tensor;
  }
  return out;
}

/// Dotted name of the last linear layer.
std::string classifier_name(Module& model) {
  std::string last;
  model.visit([&](const std::string& name, Module& module) {
    if (dynamic_cast<Linear*>(&module) != nullptr) last = name;
  });
  return last;
}

bool same_quantization(const TrainConfig& a, const TrainConfig& b) {
  return a.method == b.method && a.weight_bits == b.weight_bits && a.act_bits == b.act_bits &&
         a.first_last_bits == b.first_last_bits;
}

}  // namespace

InitReport init_from(Session& s, const std::string& path) {
  const TensorFile file = load_tensors(path);
  std::map<std::string, Tensor> weights = read_weights(file);
  InitReport report;
  bool keep_steps = false;
  if (is_ntq_checkpoint(file)) {
    const CheckpointInfo info = read_info(file, path);
    keep_steps = same_quantization(info.config, s.config);
    if (info.config.quantized() && !keep_steps) {
      report.notices.push_back("the file has other bits or another method: all steps start anew from the first batch");
    }
  }
  const std::string head = classifier_name(*s.model) + ".";
  const auto head_weight = weights.find(head + "weight");
  bool keep_head = true;
  std::vector<std::pair<Tensor, Tensor>> copies;  // to, from
  for (const auto& [name, target] : s.model->state_dict()) {
    if (name != head + "weight" || head_weight == weights.end()) continue;
    const Shape& found = head_weight->second.shape();
    keep_head = found.rank() != 2 || found[1] != target.size(1) || found[0] == target.size(0);
    if (!keep_head) {
      report.notices.push_back(concat("the file has ", found[0], " classes, the data set ", target.size(0),
                                      ": the classifier ", head.substr(0, head.size() - 1), " starts anew"));
    }
  }
  for (const auto& [name, target] : s.model->state_dict()) {
    const bool step = is_quantizer_entry(name);
    const auto found = weights.find(name);
    const bool skip = (step && !keep_steps) || (!keep_head && name.rfind(head, 0) == 0);
    if (found == weights.end() || skip) {
      if (found != weights.end()) weights.erase(found);
      if (step) {
        report.fresh.push_back(name);
      } else if (!skip) {
        report.missing.push_back(name);
      }
      continue;
    }
    const Tensor& source = found->second;
    if (source.shape() != target.shape() || source.dtype() != target.dtype()) {
      throw CheckpointError(concat(path, ": tensor '", name, "': expected ", target.shape(), " ",
                                   dtype_name(target.dtype()), " of ", s.config.model, ", found ", source.shape(), " ",
                                   dtype_name(source.dtype()), "; is it of another model?"));
    }
    copies.emplace_back(target, source);
    weights.erase(found);
  }
  for (const auto& [name, tensor] : weights) report.left_over.push_back(name);
  report.matched = static_cast<int64_t>(copies.size());
  if (copies.empty()) {
    throw CheckpointError(concat(path, ": expected weights of ", s.config.model, ", found no tensor of a known name",
                                 report.left_over.empty() ? "" : "; the first is '" + report.left_over[0] + "'"));
  }
  for (auto& [target, source] : copies) target.copy_from(source);
  if (s.ema) s.ema = std::make_unique<WeightAverage>(*s.model, static_cast<float>(s.config.model_ema));
  return report;
}

}  // namespace ntq::apps
