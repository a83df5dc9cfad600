#include "train/weight_statistics.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <map>

#include "engine/autograd.h"
#include "engine/backend/registry.h"
#include "quant/turns.h"

namespace ntq {
namespace {

/// Of more than kMostLookedAt elements on the host so many, in a row; else all of them.
Tensor sample_of(const Tensor& all) {
  constexpr int64_t kRun = 64, kRuns = kMostLookedAt / kRun;  // in runs, for the cache's sake
  if (all.numel() <= kMostLookedAt) return all.view({all.numel()});
  Tensor out = Tensor::empty({kMostLookedAt}, all.dtype());
  const size_t size = dtype_size(all.dtype());
  const auto* from = static_cast<const std::byte*>(all.raw());
  auto* to = static_cast<std::byte*>(out.raw());
  for (int64_t run = 0; run < kRuns; ++run) {
    const auto begin = static_cast<size_t>(run * all.numel() / kRuns);
    std::memcpy(to + static_cast<size_t>(run * kRun) * size, from + begin * size, kRun * size);
  }
  return out;
}

/// A device may train without.
bool makes_codes(Device device) {
  const Backend& backend = backend_for(device);
  return backend.supports(Primitive::quantize_codes, DType::f32) && backend.supports(Primitive::cast, DType::f32);
}

/// Whether a weight's code depends on that weight alone, so that some of them can be looked at without the others.
bool codes_alone(const Quantizer& quantizer, const Tensor& weight) {
  const CodeGrid grid = quantizer.grid();
  const bool one_grid = grid.levels ? grid.levels.shape().rank() == 1 : grid.step.numel() == 1;
  return one_grid && quantizer.transformed(weight).id() == weight.id();
}

template <class T>
std::span<T> elements(const Tensor& t) {
  return {t.data<T>(), static_cast<size_t>(t.numel())};
}

template <class To, class From>
Tensor same_bits(const Tensor& from) {
  Tensor to = Tensor::empty(from.shape(), DTypeOf<To>::value);
  const auto source = elements<From>(from);
  std::transform(source.begin(), source.end(), to.data<To>(), [](From value) { return std::bit_cast<To>(value); });
  return to;
}

}  // namespace

WeightStatistics::WeightStatistics(Module& model) {
  model.visit([&](const std::string& name, Module& module) {
    if (const auto* layer = dynamic_cast<const WeightedLayer*>(&module)) layers_.push_back({name, layer});
  });
}

Tensor WeightStatistics::Layer::codes() {
  const auto& q = of->weight_quantizer();
  const Tensor& w = of->weight();
  if (!q || !q->enabled() || !q->ready() || !q->traits().codes || !makes_codes(w.device())) return {};
  if (w.numel() <= kMostLookedAt || !w.on_host()) return q->unchecked_codes(w);
  if (!alone) alone = codes_alone(*q, w);
  return q->unchecked_codes(*alone ? sample_of(w) : w);
}

void WeightStatistics::Layer::follow(const Tensor& codes) {
  const Tensor here = sample_of(codes.to(Device()));
  if (!code || code.dtype() != here.dtype()) {
    code = here;
    direction = Tensor::zeros(here.shape(), DType::i8), frequency = Tensor::zeros(here.shape());
  } else if (here.dtype() == DType::i8) {
    follow_turns<int8_t, int8_t>(elements<int8_t>(here), elements<int8_t>(code), elements<int8_t>(direction),
                                 elements<float>(frequency), kTurnsMomentum);
  } else {
    follow_turns<uint8_t, int8_t>(elements<uint8_t>(here), elements<uint8_t>(code), elements<int8_t>(direction),
                                  elements<float>(frequency), kTurnsMomentum);
  }
}

WeightFigures WeightStatistics::Layer::figures(const WeightTensors& tensors) const {
  WeightFigures out = read_figures(name, *of, tensors);
  if (!frequency) return out;
  const auto all = elements<float>(frequency);
  const auto count = std::count_if(all.begin(), all.end(), [](float f) { return f > kOscillates; });
  out.oscillating = static_cast<double>(count) / static_cast<double>(all.size());
  return out;
}

void WeightStatistics::look(bool figures) {
  const NoGrad no_grad;
  Look look;
  for (Layer& layer : layers_) {
    look.codes.push_back(layer.codes());
    if (figures) look.figures.push_back(weight_tensors(*layer.of));
  }
  waiting_.push_back(std::move(look));
}

std::vector<WeightFigures> WeightStatistics::read() {
  check(!waiting_.empty(), "weight statistics: read() without a look()");
  const Look look = std::move(waiting_.front());
  waiting_.pop_front();
  std::vector<WeightFigures> out;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (look.codes[i]) layers_[i].follow(look.codes[i]);
    if (!look.figures.empty()) out.push_back(layers_[i].figures(look.figures[i]));
  }
  return out;
}

std::vector<WeightFigures> WeightStatistics::now() const {
  std::vector<WeightFigures> out;
  for (const Layer& layer : layers_) out.push_back(layer.figures(weight_tensors(*layer.of)));
  return out;
}

NamedTensors WeightStatistics::state_dict() const {
  NamedTensors state;
  for (const Layer& layer : layers_) {
    if (!layer.code) continue;
    state.emplace_back(layer.name + ".code", layer.code);
    state.emplace_back(layer.name + ".direction", layer.direction);
    state.emplace_back(layer.name + ".frequency", same_bits<int32_t, float>(layer.frequency));
  }
  return state;
}

void WeightStatistics::load_state_dict(const NamedTensors& state) {
  const std::map<std::string, Tensor> by_name(state.begin(), state.end());
  size_t taken = 0;
  waiting_.clear();
  for (Layer& layer : layers_) {
    const auto take = [&](const char* what, std::initializer_list<DType> types) {
      const auto found = by_name.find(layer.name + what);
      if (found == by_name.end()) return Tensor();
      const Tensor& t = found->second;
      check(std::count(types.begin(), types.end(), t.dtype()) == 1 && t.shape() == Shape{layer.count()},
            "statistics of ", found->first, ": expected ", layer.count(), " elements of ", dtype_name(*types.begin()),
            ", found ", t.shape(), " of ", dtype_name(t.dtype()));
      ++taken;
      return t.clone();
    };
    layer.code = take(".code", {DType::i8, DType::u8});
    layer.direction = take(".direction", {DType::i8});
    const Tensor bits = take(".frequency", {DType::i32});
    check(layer.code.defined() == layer.direction.defined() && layer.code.defined() == bits.defined(), "statistics of ",
          layer.name, ": expected code, direction and frequency, found some of them");
    layer.frequency = bits ? same_bits<float, int32_t>(bits) : Tensor();
    if (!bits) continue;
    const auto turns = elements<int8_t>(layer.direction);
    check(std::all_of(turns.begin(), turns.end(), [](int8_t d) { return d >= -1 && d <= 1; }), "statistics of ",
          layer.name, ": expected directions of -1, 0 and 1");
    const auto all = elements<float>(layer.frequency);
    check(std::all_of(all.begin(), all.end(), [](float f) { return f >= 0 && f <= 1; }), "statistics of ", layer.name,
          ": expected frequencies in [0, 1]");
  }
  check(taken == state.size(), "statistics: expected those of the model's layers, found ", state.size() - taken,
        " tensors of others");
}

}  // namespace ntq
