#pragma once
// A network that tests can follow by hand.
#include <memory>

#include "engine/ops/pool.h"
#include "layers/conv2d.h"
#include "layers/linear.h"
#include "tests/support/module.h"

namespace ntq::test {

/// Two convolutions and a classifier, each with its name.
struct Small : Module {
  std::shared_ptr<Conv2d> first, second;
  std::shared_ptr<Linear> fc;
  explicit Small(int bits, int64_t channels = 2, int64_t classes = 3) {
    Conv2dOptions conv;
    conv.in_channels = channels, conv.out_channels = 2;
    conv.padding = 1;
    conv.weight_quant.bits = conv.input_quant.bits = bits;
    conv.name = "first";
    first = register_module("first", std::make_shared<Conv2d>(conv));
    conv.name = "second";
    conv.in_channels = 2;
    second = register_module("second", std::make_shared<Conv2d>(conv));
    LinearOptions linear;
    linear.in_features = 2;
    linear.out_features = classes;
    linear.name = "fc";
    fc = register_module("fc", std::make_shared<Linear>(linear));
  }
  Tensor forward(const Tensor& x) override { return fc->forward(global_avg_pool(second->forward(first->forward(x)))); }
};

}  // namespace ntq::test
