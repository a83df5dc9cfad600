#include "quant/tree.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "engine/ops/binary.h"

namespace ntq {

Quantizers::Quantizers(Module& model) {
  std::set<const Module*> seen;
  std::string layer_before;
  model.visit([&](const std::string&, Module& module) {
    auto* quantizer = dynamic_cast<Quantizer*>(&module);
    if (quantizer == nullptr || !seen.insert(quantizer).second) return;
    const std::string& name = quantizer->spec().name;
    const std::string layer = name.substr(0, name.rfind('.'));
    layers_.push_back(list_.empty() ? 0 : layers_.back() + (layer != layer_before ? 1 : 0));
    list_.push_back(quantizer);
    layer_before = layer;
  });
}

void set_progress(const Quantizers& quantizers, double fraction) {
  check(fraction >= 0 && fraction <= 1, "set_progress: expected a fraction in [0, 1], found ", fraction);
  size_t at = 0;
  for (Quantizer* q : quantizers) {
    q->set_place(quantizers.place(at++));
    q->on_progress(fraction);
  }
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

void calibrate(const Quantizers& quantizers, const std::function<void()>& run_batches) {
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
}

}  // namespace ntq
