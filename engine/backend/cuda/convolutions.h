#pragma once
// Convolutions of float32 views of device memory. Two files implement it, one of which is linked: cudnn/, and
// tests/support/emulated/convolutions.cpp.
#include <memory>
#include <string>

#include "engine/backend/args.h"
#include "engine/backend/cuda/memory.h"

namespace ntq::cuda {

/// Of each tensor: cuDNN's engines may count elements in 32 bits.
constexpr int64_t kMostElements = (int64_t{1} << 31) - 1;

/// NHWC images, {Cout,Kh,Kw,Cin/groups} filters. Work is queued on the stream; what fails leaves an error there.
class Convolutions {
 public:
  /// Where there is no way to compute them the stream has an error.
  Convolutions(Stream& stream, Memory& memory);
  ~Convolutions();
  Convolutions(const Convolutions&) = delete;
  Convolutions& operator=(const Convolutions&) = delete;

  void forward(const ConvGeometry& g, ConstView x, ConstView w, View y);
  void grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx);
  void grad_weight(const ConvGeometry& g, ConstView dy, ConstView x, View dw);
  /// What those that are called from now on multiply; float32 unless said otherwise.
  void use(Products products);
  Products products() const;
  /// For people: "cuDNN 9.19.0".
  std::string describe() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ntq::cuda
