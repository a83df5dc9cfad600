#include "quant/tree.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "engine/autograd.h"
#include "engine/ops/binary.h"

namespace ntq {
namespace {

std::string without_last(const std::string& name) { return name.substr(0, name.rfind('.')); }
std::string layer_of(const Quantizer& q) { return without_last(q.spec().name); }
bool is_of_sum(const Quantizer& q) { return q.spec().name.ends_with("skip_quant"); }

/// Parameters follow the layer that they belong to or stand behind.
void hold_layers(const Quantizers& quantizers) {
  std::map<std::string, bool> trained;  // by layer
  for (const Quantizer* q : quantizers) {
    if (const auto wish = q->trains_layer()) trained[layer_of(*q)] = *wish;
  }
  if (trained.empty()) return;
  std::optional<bool> now;
  for (Parameter& parameter : quantizers.model().parameters()) {  // a layer's own come first
    const auto layer = trained.find(without_last(parameter.name));
    if (layer != trained.end()) now = layer->second;
    if (now) parameter.value.set_requires_grad(*now);
  }
}

}  // namespace

Quantizers::Quantizers(Module& model) : model_(&model) {
  std::set<const Module*> seen;
  std::string layer_before;
  int64_t layers = 0;
  model.visit([&](const std::string&, Module& module) {
    auto* quantizer = dynamic_cast<Quantizer*>(&module);
    if (quantizer == nullptr || !seen.insert(quantizer).second) return;
    const std::string layer = layer_of(*quantizer);
    if (!is_of_sum(*quantizer) && (layers == 0 || layer != layer_before)) ++layers, layer_before = layer;
    layers_.push_back(std::max<int64_t>(layers - 1, 0));
    list_.push_back(quantizer);
  });
}

void set_progress(const Quantizers& quantizers, double fraction) {
  check(fraction >= 0 && fraction <= 1, "set_progress: expected a fraction in [0, 1], found ", fraction);
  size_t at = 0;
  for (Quantizer* q : quantizers) {
    q->set_place(quantizers.place(at++));
    q->set_progress(fraction);
  }
  hold_layers(quantizers);
}

void set_rate(const Quantizers& quantizers, const LearningRate& rate) {
  check(rate.value >= 0 && rate.share >= 0 && rate.share <= 1,
        "set_rate: expected a rate of 0 or more and a share in [0, 1], found ", rate.value, " and ", rate.share);
  for (Quantizer* q : quantizers) q->on_rate(rate);
}

Tensor quant_penalty(const Quantizers& quantizers) {
  Tensor total;
  for (const Quantizer* q : quantizers) {
    const Tensor penalty = q->penalty();
    if (!penalty) continue;
    check(penalty.shape() == Shape{1}, q->spec().name, ": a penalty must have shape {1}, found ", penalty.shape());
    total = total ? add(total, penalty) : penalty;
  }
  return total;
}

void count_optimizer_step(const Quantizers& quantizers) {
  for (Quantizer* q : quantizers) {
    if (!q->ready()) continue;  // has not been run
    q->after_step();
    q->set_training_step(q->training_step() + 1);
  }
}

std::vector<std::string> left_out(const Quantizers& quantizers, const TrainingPlan& plan) {
  std::vector<std::pair<std::string, std::string>> methods;  // with the first reason; empty: one is at work
  size_t at = 0;
  for (Quantizer* q : quantizers) {
    q->set_place(quantizers.place(at++));
    const std::string why = q->left_out(plan), &name = q->spec().method;
    const auto found =
        std::find_if(methods.begin(), methods.end(), [&](const auto& method) { return method.first == name; });
    if (found == methods.end()) {
      methods.emplace_back(name, why);
    } else if (why.empty()) {
      found->second.clear();
    }
  }
  std::vector<std::string> out;
  for (const auto& [name, why] : methods) {
    if (!why.empty()) out.push_back(concat(name, ": ", why));
  }
  return out;
}

bool calibrate(const Quantizers& quantizers, const std::function<void()>& run_batches) {
  std::vector<Quantizer*> fresh;
  std::copy_if(quantizers.begin(), quantizers.end(), std::back_inserter(fresh),
               [](const Quantizer* q) { return !q->ready(); });
  int passes = 0;
  for (const Quantizer* q : fresh) passes = std::max(passes, q->calibration_passes());
  for (int pass = 0; pass < passes; ++pass) {
    const auto each = [&](void (Quantizer::*tell)(int)) {
      for (Quantizer* q : fresh) {
        if (pass < q->calibration_passes()) (q->*tell)(pass);
      }
    };
    each(&Quantizer::start_pass);
    run_batches();
    each(&Quantizer::end_pass);
  }
  return std::any_of(fresh.begin(), fresh.end(),
                     [](const Quantizer* q) { return !q->spec().is_weight && q->calibration_passes() > 0; });
}

std::vector<std::string> take_over(const Quantizers& quantizers, Module& other) {
  const NoGrad no_grad;
  std::map<std::string, const Quantizer*> there;
  for (const Quantizer* q : Quantizers(other)) there[q->spec().name] = q;
  std::vector<std::string> names;
  for (Quantizer* q : quantizers) {
    const auto from = there.find(q->spec().name);
    if (from != there.end() && q->take_over(*from->second)) names.push_back(q->spec().name);
  }
  return names;
}

}  // namespace ntq
