// Convolutions of the emulated device: the CPU's.
#include "engine/backend/cuda/convolutions.h"

#include <exception>

#include "engine/backend/cpu/cpu_backend.h"
#include "tests/support/emulated/stream_state.h"

namespace ntq::cuda {

struct Convolutions::State {
  Stream::State& device;

  template <class Call>
  void later(Call call) {
    device.later([&device = device, call] {
      try {
        call(cpu::cpu_backend());
      } catch (const std::exception& e) {
        device.leave_error(BackendError::Code::failed, e.what());
      }
    });
  }
};

Convolutions::Convolutions(Stream& stream, Memory&) : state_(new State{stream.state()}) {}
Convolutions::~Convolutions() = default;
std::string Convolutions::describe() const { return "convolutions of the CPU"; }

void Convolutions::forward(const ConvGeometry& g, ConstView x, ConstView w, View y) {
  state_->later([=](Backend& cpu) { cpu.conv2d(g, x, w, y); });
}

void Convolutions::grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) {
  state_->later([=](Backend& cpu) { cpu.conv2d_grad_input(g, dy, w, dx); });
}

void Convolutions::grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw) {
  state_->later([=](Backend& cpu) { cpu.conv2d_grad_weight(g, dy, x, dw); });
}

}  // namespace ntq::cuda
