// The uniform quantizer with a learned step: LSQ forward, NTQ forward (with noise), the gradient, beside a plain copy
// of the same tensor. bytes_per_second counts what has to be read and written once.
#include <benchmark/benchmark.h>

#include "engine/backend/registry.h"
#include "engine/tensor.h"

namespace ntq::bench {
namespace {

/// Tensors of one run: x and its like, and a step that lets 4-bit signed codes cover most of x.
struct Operands {
  explicit Operands(int64_t n) : x(Tensor::empty({n})), y(Tensor::empty({n})), dx(Tensor::empty({n})) {
    const RandomKey key{.seed = 1, .stream = stream_id("quantize_bench")};
    for (int64_t i = 0; i < n; ++i) x.f32()[i] = 0.2f * (2 * random_unit(key, static_cast<uint64_t>(i)) - 1);
    y.copy_from(x);
  }
  Tensor x, y, dx;
  Tensor step = Tensor::full({1}, 0.02f), dstep = Tensor::zeros({1});
  QuantRange range{-8, 7};
};

void count_bytes(benchmark::State& state, int tensors) {
  state.SetBytesProcessed(state.iterations() * state.range(0) * tensors * static_cast<int64_t>(sizeof(float)));
}

void copy(benchmark::State& state) {
  Operands t(state.range(0));
  for (auto _ : state) backend_for({}).scale(1.0f, t.x.view(), t.y.view());
  count_bytes(state, 2);
}

void quantize_forward(benchmark::State& state, float noise_c) {
  Operands t(state.range(0));
  QuantizeArgs args{.range = t.range, .noise = {.c = noise_c, .k = 50, .key = {.seed = 1, .stream = 2}}};
  for (auto _ : state) {
    ++args.noise.key.step;
    backend_for({}).quantize(args, t.x.view(), t.step.view(), t.y.view());
  }
  count_bytes(state, 2);
}

void lsq_forward(benchmark::State& state) { quantize_forward(state, 0.0f); }
void ntq_forward(benchmark::State& state) { quantize_forward(state, 0.2f); }

void gradient(benchmark::State& state) {
  Operands t(state.range(0));
  for (auto _ : state) {
    backend_for({}).quantize_grad({.range = t.range}, t.x.view(), t.step.view(), t.y.view(), t.dx.view(),
                                  t.dstep.view());
  }
  count_bytes(state, 3);
}

// 2,359,296: the largest filter of ResNet-18; 8,388,608: its first activations at batch 128.
void sizes(benchmark::internal::Benchmark* b) { b->Arg(36'864)->Arg(2'359'296)->Arg(8'388'608)->UseRealTime(); }

BENCHMARK(copy)->Apply(sizes);
BENCHMARK(lsq_forward)->Apply(sizes);
BENCHMARK(ntq_forward)->Apply(sizes);
BENCHMARK(gradient)->Apply(sizes);

}  // namespace
}  // namespace ntq::bench
