// Convolutions of the emulated device: the CPU's, for TF32 of factors that are rounded first.
#include "engine/backend/cuda/convolutions.h"

#include <atomic>
#include <bit>
#include <exception>
#include <vector>

#include "engine/backend/cpu/cpu_backend.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cuda {
namespace {

/// A factor as it is multiplied: itself, or a copy of 11 bits, rounded to nearest, ties away from zero.
class Factor {
 public:
  Factor(ConstView x, Products products) : view_(x) {
    if (products == Products::float32) return;
    const auto* const values = static_cast<const float*>(x.data);
    rounded_.assign(values, values + x.size);
    for (float& v : rounded_) v = std::bit_cast<float>((std::bit_cast<uint32_t>(v) + 0x1000u) & ~0x1fffu);
    view_ = {rounded_.data(), x.type, x.size};
  }
  ConstView view() const { return view_; }

 private:
  ConstView view_;
  std::vector<float> rounded_;
};

}  // namespace

struct Convolutions::State {
  Stream::State& device;
  std::atomic<Products> products = Products::float32;

  /// call(backend, a factor, the other).
  template <class Call>
  void later(ConstView a, ConstView b, Call call) {
    device.later([&device = device, a, b, call, products = products.load()] {
      try {
        const Factor first(a, products), second(b, products);
        call(cpu::cpu_backend(), first.view(), second.view());
      } catch (const std::exception& e) {
        device.leave_error(BackendError::Code::failed, e.what());
      }
    });
  }
};

Convolutions::Convolutions(Stream& stream, Memory&) : state_(new State{stream.state()}) {}
Convolutions::~Convolutions() = default;
void Convolutions::use(Products products) { state_->products = products; }
Products Convolutions::products() const { return state_->products; }
std::string Convolutions::describe() const { return "convolutions of the CPU"; }

void Convolutions::forward(const ConvGeometry& g, ConstView x, ConstView w, View y) {
  state_->later(x, w, [=](Backend& cpu, ConstView a, ConstView b) { cpu.conv2d(g, a, b, y); });
}

void Convolutions::grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) {
  state_->later(dy, w, [=](Backend& cpu, ConstView a, ConstView b) { cpu.conv2d_grad_input(g, a, b, dx); });
}

void Convolutions::grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw) {
  state_->later(dy, x, [=](Backend& cpu, ConstView a, ConstView b) { cpu.conv2d_grad_weight(g, a, b, dw); });
}

}  // namespace ntq::cuda
