// Convolution by its definition, summed in float64.
#include <vector>

#include "engine/backend/cuda/convolutions.h"
#include "engine/backend/cuda/cuda_backend.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cuda {
namespace {

/// Calls term(index into x, into w, into y) for every product of the convolution.
template <class Term>
void each_product(const ConvGeometry& g, Term&& term) {
  const int64_t group_in = g.in_c / g.groups, group_out = g.out_c / g.groups;
  for (int64_t y = 0; y < g.batch * g.out_h * g.out_w * g.out_c; ++y) {
    const int64_t co = y % g.out_c, ow = y / g.out_c % g.out_w, oh = y / (g.out_c * g.out_w) % g.out_h;
    const int64_t n = y / (g.out_c * g.out_w * g.out_h);
    for (int64_t kh = 0; kh < g.kernel_h; ++kh) {
      for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
        const int64_t ih = oh * g.stride + kh - g.pad, iw = ow * g.stride + kw - g.pad;
        if (ih < 0 || ih >= g.in_h || iw < 0 || iw >= g.in_w) continue;
        const int64_t x = ((n * g.in_h + ih) * g.in_w + iw) * g.in_c + co / group_out * group_in;
        const int64_t w = ((co * g.kernel_h + kh) * g.kernel_w + kw) * group_in;
        for (int64_t ci = 0; ci < group_in; ++ci) term(x + ci, w + ci, y);
      }
    }
  }
}

/// to[i] = the sum of a b over the products that `place` sends there.
template <class Place>
void sum_products(const ConvGeometry& g, View to, Place&& place) {
  std::vector<double> sums(static_cast<size_t>(to.size));
  each_product(g, [&](int64_t x, int64_t w, int64_t y) { place(sums.data(), x, w, y); });
  for (int64_t i = 0; i < to.size; ++i) floats(to)[i] = static_cast<float>(sums[static_cast<size_t>(i)]);
}

double product(const float* a, int64_t i, const float* b, int64_t j) { return double{a[i]} * double{b[j]}; }

}  // namespace

struct Convolutions::State {
  Stream& stream;
};

Convolutions::Convolutions(Stream& stream, Memory&) : state_(new State{stream}) {}
Convolutions::~Convolutions() = default;
std::string Convolutions::describe() const { return "convolutions by their definition"; }

void Convolutions::forward(const ConvGeometry& g, ConstView x, ConstView w, View y) {
  state_->stream.state().later([=] {
    sum_products(
        g, y, [&](double* sums, int64_t i, int64_t j, int64_t k) { sums[k] += product(floats(x), i, floats(w), j); });
  });
}

void Convolutions::grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) {
  state_->stream.state().later([=] {
    sum_products(
        g, dx, [&](double* sums, int64_t i, int64_t j, int64_t k) { sums[i] += product(floats(dy), k, floats(w), j); });
  });
}

void Convolutions::grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw) {
  state_->stream.state().later([=] {
    sum_products(
        g, dw, [&](double* sums, int64_t i, int64_t j, int64_t k) { sums[j] += product(floats(dy), k, floats(x), i); });
  });
}

}  // namespace ntq::cuda
