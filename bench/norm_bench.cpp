// Batch norm's primitives on tensors of ResNet-18, -20 and -50, beside a plain copy of the same tensor.
// bytes_per_second counts what has to be read and written once; between two uses of a tensor others pass, as in a step.
//   norm_bench [--benchmark_filter=codes.*/64]    NTQ_CPU_ISA and OMP_NUM_THREADS apply
#include <benchmark/benchmark.h>

#include <vector>

#include "engine/backend/registry.h"
#include "engine/random.h"
#include "engine/tensor.h"

namespace ntq::bench {
namespace {

constexpr int64_t kPassBy = int64_t{96} << 20;  // bytes, more than caches hold

/// What a norm and its gradient read and write.
struct Operands {
  Operands(int64_t rows, int64_t channels, DType type) {
    for (Tensor* t : {&x, &y, &dy, &dx}) *t = Tensor::empty({rows, channels}, type);
    codes = Tensor::empty({rows, channels}, DType::u8);
    const Tensor noise = Tensor::empty({rows * channels});
    const RandomKey key{.seed = 1, .stream = stream_id("norm_bench")};
    for (int64_t i = 0; i < noise.numel(); ++i) noise.f32()[i] = 4 * random_unit(key, static_cast<uint64_t>(i)) - 2;
    for (const Tensor* t : {&x, &y, &dy}) backend_for({}).cast(noise.view(), t->view());
  }
  Tensor x, y, dy, dx, codes;
};

struct Channels {
  explicit Channels(int64_t n)
      : mean(Tensor::zeros({n})),
        inv_std(Tensor::full({n}, 0.9f)),
        gamma(Tensor::full({n}, 1.1f)),
        beta(Tensor::full({n}, 0.2f)),
        dgamma(Tensor::empty({n})),
        dbeta(Tensor::empty({n})) {}
  Tensor mean, inv_std, gamma, beta, dgamma, dbeta;
  Tensor step = Tensor::full({1}, 0.13f), checked = Tensor::empty({1}), dstep = Tensor::empty({1});
};

/// Runs call(operands, channels) on one set of operands after another; it moves `tensors` of them, and codes or not.
template <class Call>
void each_set(benchmark::State& state, double tensors, const Call& call) {
  const int64_t rows = state.range(0), n = state.range(1);
  const DType type = state.range(2) == 16 ? DType::bf16 : DType::f32;
  const int64_t bytes = rows * n * static_cast<int64_t>(dtype_size(type));
  std::vector<Operands> sets;
  for (int64_t i = 0; i < kPassBy / (4 * bytes) + 2; ++i) sets.emplace_back(rows, n, type);
  const Channels channels(n);
  size_t turn = 0;
  for (auto _ : state) call(sets[turn++ % sets.size()], channels);
  state.SetBytesProcessed(static_cast<int64_t>(static_cast<double>(state.iterations() * bytes) * tensors));
}

NormArgs args(const Operands& t, const Channels& c) {
  return {.x = t.x.view(),
          .mean = c.mean.view(),
          .inv_std = c.inv_std.view(),
          .gamma = c.gamma.view(),
          .beta = c.beta.view(),
          .relu = true,
          .dy = t.dy.view()};
}

void copy(benchmark::State& state) {
  each_set(state, 2, [](Operands& t, const Channels&) { backend_for({}).relu(t.x.view(), t.y.view()); });
}
void statistics(benchmark::State& state) {
  each_set(state, 1, [](Operands& t, const Channels& c) {
    backend_for({}).batch_norm_stats(t.x.view(),
                                     {c.mean.view(), c.inv_std.view(), c.dgamma.view(), c.dbeta.view(), 0.1f, 1e-5f});
  });
}
void forward(benchmark::State& state) {
  each_set(state, 2, [](Operands& t, const Channels& c) { backend_for({}).batch_norm_apply(args(t, c), t.y.view()); });
}
void gradient(benchmark::State& state) {
  each_set(state, 3, [](Operands& t, const Channels& c) {
    backend_for({}).batch_norm_grad(args(t, c), {t.dx.view(), c.dgamma.view(), c.dbeta.view()});
  });
}
void codes(benchmark::State& state) {
  each_set(state, state.range(2) == 16 ? 1.5 : 1.25, [](Operands& t, const Channels& c) {
    backend_for({}).batch_norm_codes(args(t, c), {0, 15}, c.step.view(), t.codes.view(), c.checked.view());
  });
}
void codes_gradient(benchmark::State& state) {
  each_set(state, 3, [](Operands& t, const Channels& c) {
    backend_for({}).batch_norm_codes_grad(args(t, c), {.range = {0, 15}}, c.step.view(),
                                          {t.dx.view(), c.dgamma.view(), c.dbeta.view()}, c.dstep.view());
  });
}

// Rows, channels, bits of a value.
void shapes(benchmark::internal::Benchmark* b) {
  for (const int64_t bits : {16, 32}) {
    b->Args({128 * 32 * 32, 16, bits})->Args({128 * 32 * 32, 64, bits})->Args({128 * 16 * 16, 128, bits});
    b->Args({128 * 4 * 4, 512, bits})->Args({16 * 56 * 56, 256, bits});
  }
  b->UseRealTime();
}

BENCHMARK(copy)->Apply(shapes);
BENCHMARK(statistics)->Apply(shapes);
BENCHMARK(forward)->Apply(shapes);
BENCHMARK(gradient)->Apply(shapes);
BENCHMARK(codes)->Apply(shapes);
BENCHMARK(codes_gradient)->Apply(shapes);

}  // namespace
}  // namespace ntq::bench
