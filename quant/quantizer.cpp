#include "quant/quantizer.h"

#include "engine/graph.h"
#include "engine/ops/cast.h"
#include "engine/ops/reduce.h"
#include "quant/oscillation.h"

namespace ntq {

const SettingValue& QuantSpec::setting(const std::string& key) const {
  const auto found = settings.find(key);
  check(found != settings.end(), "method ", method, " has not declared the setting '", key, "' for ",
        is_weight ? "weights" : "activations", "; quantizers are made by make_quantizer()");
  return found->second;
}

Quantizer::Quantizer(QuantSpec spec)
    : spec_(std::move(spec)), calls_(register_buffer("calls", Tensor::zeros({1}, DType::i64))) {
  if (!Oscillation::is_wanted(spec_)) return;
  oscillation_ = std::make_shared<Oscillation>(
      spec_, [this](const std::string& name, Tensor value) { return register_buffer(name, std::move(value)); });
}

QuantRange Quantizer::range() const {
  const int levels = 1 << spec_.bits;
  if (!spec_.is_signed) return {0.0f, static_cast<float>(levels - 1)};
  return {static_cast<float>(-levels / 2), static_cast<float>(levels / 2 - 1)};
}

Tensor Quantizer::forward(const Tensor& x) {
  check(x.defined() && (x.dtype() == DType::f32 || x.dtype() == DType::bf16) && x.shape().rank() >= 1 && x.numel() > 0,
        spec_.name, ": needs a float32 tensor with elements, or a bfloat16 one, found ",
        x.defined() ? x.shape().str() : "none");
  const GraphPart part(*this);
  if (takes_bf16()) return quantized(transform(x));
  return cast(quantized(transform(cast(x, DType::f32))), x.dtype());
}

Codes Quantizer::encode(const Tensor& x) const {
  check(traits().codes, spec_.name, ": the values of method ", spec_.method,
        " have no codes of one byte; export them as floats (--quantized)");
  check(ready(), spec_.name, ": the step is not set; run one forward pass or load a checkpoint first");
  const Tensor input = transformed(cast(x, DType::f32));
  if (!all_finite(input)) throw DivergedError(concat(spec_.name, ": values that are not finite have no codes"));
  check_grid(spec_.name, grid());
  Codes out{codes(input), grid()};
  check_codes(spec_.name, out);
  return out;
}

Tensor Quantizer::unchecked_codes(const Tensor& x) const { return codes(transformed(cast(x, DType::f32))); }

Tensor Quantizer::transformed(const Tensor& x) const {
  const Tensor t = transform(x);
  return oscillation_ ? oscillation_->held(t, even_grid()) : t;
}

Tensor Quantizer::steadied(const Tensor& x) {
  if (!oscillation_) return x;
  const CodeGrid grid = even_grid();
  const Tensor held = oscillation_->held(x, grid);  // weights that freeze now are held from the next step on
  if (training()) oscillation_->look(held, grid, progress_, training_step());
  return held;
}

Tensor Quantizer::penalty() const { return oscillation_ ? oscillation_->penalty() : Tensor(); }

void Quantizer::state_loaded() {
  steps_.reset();
  if (oscillation_) oscillation_->state_loaded();
}

double Quantizer::stored_bits(int64_t values) const {
  return static_cast<double>(values) * spec_.bits + 32.0 * static_cast<double>(parameter_count());
}

int64_t Quantizer::training_step() const {
  if (!steps_) steps_ = calls_.item<int64_t>();
  return *steps_;
}

void Quantizer::set_training_step(int64_t step) {
  steps_ = step;
  calls_.copy_from(Tensor::from({1}, std::span<const int64_t>(&step, 1)));
}

void Quantizer::first_input_not_finite(const Tensor& x) const {
  throw DivergedError(concat(spec_.name, ": the first input, ", x.shape(),
                             ", is not finite, so no step can be taken from it; check the data and the learning rate"));
}

uint32_t Quantizer::draw_stream(const std::string& what) const {
  return stream_id(drawing_name(spec_.name, "quantizer", spec_.seed) + "." + what);
}

RandomKey Quantizer::draw_key(uint32_t stream) const {
  return {.seed = spec_.seed, .stream = stream, .step = static_cast<uint32_t>(training_step())};
}

}  // namespace ntq
