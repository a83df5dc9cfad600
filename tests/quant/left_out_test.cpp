// What a training does not count as: methods that do nothing of what they are named for.
#include <doctest/doctest.h>

#include <algorithm>

#include "quant/tree.h"
#include "tests/quant/vectors.h"

using namespace ntq;

namespace {

using Lines = std::vector<std::string>;

enum class Sides { weights, both };

struct Layers : Module {
  Tensor forward(const Tensor& x) override { return x; }
  void add(QuantSpec spec, const std::string& layer) {
    spec.name = layer + (spec.is_weight ? ".weight_quant" : ".input_quant");
    register_module(layer + (spec.is_weight ? "_weight" : "_input"), make_quantizer(spec));
  }
};

/// Of a model of three layers of 4,000 weights, in 100 steps.
Lines lines_of(const char* method, Settings settings = {}, Sides sides = Sides::both,
               TrainingPlan plan = {.steps = 100}, int bits = 4) {
  Layers model;
  for (const char* layer : {"a", "b", "c"}) {
    const auto own = [&](bool weight) {
      Settings out;
      for (const Setting& s : quant_method(method).settings) {
        if (settings.contains(s.name) && concerns(s, weight)) out.insert(*settings.find(s.name));
      }
      return out;
    };
    model.add({.method = method, .bits = bits, .shape = {40, 100}, .settings = own(true)}, layer);
    if (sides == Sides::weights) continue;
    model.add({.method = method, .bits = bits, .is_signed = false, .is_weight = false, .settings = own(false)}, layer);
  }
  return left_out(model, plan);
}

}  // namespace

TEST_CASE("left out: nothing of any method by default, where it has its side, its stages and its widths") {
  for (const std::string& name : quantizer_names()) {
    CAPTURE(name);
    const QuantScope& scope = quant_method(name).scope;
    if (!scope.weights) continue;
    const TrainingPlan plan{.steps = 100, .after_wider = true};
    const Sides sides = scope.unsigned_inputs ? Sides::both : Sides::weights;
    CHECK(lines_of(name.c_str(), {}, sides, plan, std::min(4, scope.most_bits)) == Lines{});
  }
}

TEST_CASE("left out: what settings switch off, and what is of the other side") {
  CHECK(lines_of("ntq", {{"noise", 0}}) == Lines{"ntq: without noise it is lsq"});
  CHECK(lines_of("ntq", {{"noise", 0}, {"input_noise", 0.1}}) == Lines{});
  CHECK(lines_of("quant-noise", {{"p", 0}}) == Lines{"quant-noise: with p 0 nothing is quantized in training"});
  CHECK(lines_of("ewgs", {{"delta", 0}}) == Lines{"ewgs: with delta 0 gradients pass straight through"});
  CHECK(lines_of("diffq", {{"logit_lr", 0}}, Sides::weights) == Lines{"diffq: with logit_lr 0 no bits are learned"});
  CHECK(lines_of("diffq", {{"penalty", 0}}, Sides::weights) ==
        Lines{"diffq: with penalty 0 the size is not in the loss"});
  CHECK(lines_of("diffq", {{"min_size", 1}}, Sides::weights).size() == 1);
  CHECK(lines_of("quant-noise", {{"p", 1}}) ==
        Lines{"quant-noise: with p 1 all is quantized in training, so there is no noise"});
  CHECK(lines_of("faq", {{"percentile", 100}}).size() == 1);
  CHECK(lines_of("lcq", {{"intervals", 1}}) ==
        Lines{"lcq: a function of one interval is straight, so nothing is companded"});
  CHECK(lines_of("apot", {}, Sides::weights, {}, 8) ==
        Lines{"apot: 8 bits have even levels here, which are no sums of powers of two"});
  CHECK(lines_of("apot", {}, Sides::weights, {}, 2).size() == 1);
  CHECK(lines_of("apot", {}, Sides::both, {}, 2) == Lines{});
  CHECK(lines_of("qil", {{"interval_lr", 0}, {"train_gamma", false}}, Sides::both, {.after_wider = true}) ==
        Lines{"qil: with interval_lr 0 and train_gamma false no interval is learned"});
  CHECK(lines_of("qil", {{"interval_lr", 0}}, Sides::both, {.after_wider = true}) == Lines{});
  for (const char* method : {"pact", "faq", "lsq+"}) CHECK(lines_of(method, {}, Sides::weights).size() == 1);
  CHECK(lines_of("dorefa", {}, Sides::weights) == Lines{});
  CHECK(lines_of("lcq", {}, Sides::weights, {}, 2) ==
        Lines{"lcq: levels of one step on each side leave nothing to compand"});
  CHECK(lines_of("lcq", {}, Sides::both, {}, 2) == Lines{});
  CHECK(lines_of("qil") == Lines{"qil: its widths come one after the other (--bits-before 8,5)"});
}

TEST_CASE("left out: NICE's stages, unless each layer has a step of its own") {
  const Lines few{"nice: 3 stages, one for each layer, do not fit into 2 of 4 steps (stages_until 0.5); train longer"};
  CHECK(lines_of("nice", {}, Sides::both, {.steps = 4}) == few);
  CHECK(lines_of("nice", {}, Sides::both, {.steps = 5}) == Lines{});
  CHECK(lines_of("nice", {{"stages_until", 1}}, Sides::both, {.steps = 3}) == Lines{});
  CHECK(lines_of("nice", {}, Sides::weights) == Lines{});
  CHECK(lines_of("nice", {{"noise_share", 0}}) == Lines{"nice: with noise_share 0 no weight has noise"});
}
