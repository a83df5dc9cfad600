// Dotted names, the training switch, and loading that changes all or nothing.
#include "engine/module.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "tests/support/module.h"
#include "tests/support/text.h"

using namespace ntq;
using ntq::test::cloned;
using ntq::test::contains;
using ntq::test::error_of;
using ntq::test::names_of;

namespace {

using Names = std::vector<std::string>;

class Scale : public Module {
 public:
  explicit Scale(float value) {
    weight = register_parameter("weight", Tensor::full({2}, value));
    count = register_buffer("count", Tensor::zeros({1}, DType::i64));
  }
  Tensor forward(const Tensor& x) override { return x; }
  using Module::register_buffer;
  using Module::register_module;
  using Module::register_parameter;
  Tensor weight, count;
};

/// "gain", children "0" and "last", where "last" has a child "inner".
class Net : public Scale {
 public:
  Net() : Scale(1) {
    gain = register_parameter("gain", Tensor::full({1}, 5));
    first = register_module("0", std::make_shared<Scale>(2.0f));
    last = register_module("last", std::make_shared<Scale>(3.0f));
    inner = last->register_module("inner", std::make_shared<Scale>(4.0f));
  }
  Tensor gain;
  std::shared_ptr<Scale> first, last, inner;
};

std::string load_error(Module& module, const NamedTensors& state) {
  return error_of<std::invalid_argument>([&] { module.load_state_dict(state); });
}

}  // namespace

TEST_CASE("module: names are dotted, own tensors before those of the children") {
  const Net net;
  const Names parameters{"weight", "gain", "0.weight", "last.weight", "last.inner.weight"};
  const Names buffers{"count", "0.count", "last.count", "last.inner.count"};
  CHECK(names_of(net.named_parameters()) == parameters);
  CHECK(names_of(net.named_buffers()) == buffers);
  Names both = parameters;
  both.insert(both.end(), buffers.begin(), buffers.end());
  CHECK(names_of(net.state_dict()) == both);
  CHECK(net.parameter_count() == 9);
}

TEST_CASE("module: parameters require gradients, buffers do not") {
  const Net net;
  for (const auto& entry : net.named_parameters()) CHECK(entry.second.requires_grad());
  for (const auto& entry : net.named_buffers()) CHECK_FALSE(entry.second.requires_grad());
}

TEST_CASE("module: a shared tensor appears once, under its first name") {
  Scale a(1), b(2);
  a.register_parameter("tied", a.weight);
  a.register_module("child", std::make_shared<Scale>(3.0f))->register_parameter("again", a.weight);
  CHECK(names_of(a.named_parameters()) == Names{"weight", "child.weight"});
  CHECK(a.parameter_count() == 4);
  const auto shared = std::make_shared<Scale>(4.0f);
  b.register_module("x", shared);
  b.register_module("y", shared);
  CHECK(names_of(b.state_dict()) == Names{"weight", "x.weight", "count", "x.count"});
}

TEST_CASE("module: visit reaches all, from the outside in") {
  Net net;
  Names names;
  std::map<std::string, Module*> modules;
  net.visit([&](const std::string& name, Module& module) {
    names.push_back(name);
    modules[name] = &module;
  });
  CHECK(names == Names{"", "0", "last", "last.inner"});
  CHECK(modules[""] == &net);
  CHECK(modules["last.inner"] == net.inner.get());
}

TEST_CASE("module: train and eval reach all") {
  Net net;
  CHECK(net.training());
  net.eval();
  for (const Module* module : {static_cast<Module*>(&net), static_cast<Module*>(net.inner.get())}) {
    CHECK_FALSE(module->training());
  }
  net.last->train();
  CHECK(net.inner->training());
  CHECK_FALSE(net.training());
}

TEST_CASE("module: names that are empty or taken are refused, as is what is not there") {
  Net net;
  const Tensor one = Tensor::full({1}, 1);
  for (const std::string name : {"", "weight", "count", "0"}) {
    CHECK_THROWS_AS(net.register_parameter(name, one), std::invalid_argument);
    CHECK_THROWS_AS(net.register_buffer(name, one), std::invalid_argument);
    CHECK_THROWS_AS(net.register_module(name, std::make_shared<Scale>(1.0f)), std::invalid_argument);
  }
  CHECK_THROWS_AS(net.register_parameter("a", Tensor()), std::invalid_argument);
  CHECK_THROWS_AS(net.register_parameter("a", Tensor::zeros({1}, DType::i64)), std::invalid_argument);
  CHECK_THROWS_AS(net.register_buffer("a", Tensor()), std::invalid_argument);
  CHECK_THROWS_AS(net.register_module("a", std::shared_ptr<Scale>()), std::invalid_argument);
  CHECK(net.state_dict().size() == 9);
}

TEST_CASE("module: state_dict shares memory, load_state_dict copies into it") {
  Net net, other;
  other.inner->weight.fill(7);
  *other.count.data<int64_t>() = 11;
  const NamedTensors state = cloned(other.state_dict());
  const NamedTensors reversed(state.rbegin(), state.rend());  // the order does not count
  const void* memory = net.inner->weight.raw();
  net.load_state_dict(reversed);
  CHECK(net.inner->weight.raw() == memory);
  CHECK(net.inner->weight.to_vector() == std::vector<float>{7, 7});
  CHECK(*net.count.data<int64_t>() == 11);
  net.state_dict()[0].second.fill(-1);
  CHECK(net.weight.to_vector() == std::vector<float>{-1, -1});
  CHECK(net.inner->weight.requires_grad());
}

TEST_CASE("module: a state that does not fit is named and changes nothing") {
  Net net, other;
  for (auto& entry : other.named_parameters()) entry.second.fill(9);
  const NamedTensors good = cloned(other.state_dict());

  NamedTensors missing = good;
  missing.erase(missing.begin() + 4);
  CHECK(contains(load_error(net, missing), "\"last.inner.weight\" {2} is missing among the 8 given"));
  NamedTensors extra = good;
  extra.emplace_back("last.bias", Tensor::full({1}, 1));
  CHECK(contains(load_error(net, extra), "there is no tensor \"last.bias\""));
  NamedTensors shape = good;
  shape[4].second = Tensor::full({3}, 9);
  CHECK(contains(load_error(net, shape), "\"last.inner.weight\": expected F32 {2}, found F32 {3}"));
  NamedTensors type = good;
  type[8].second = Tensor::zeros({1}, DType::i32);
  CHECK(contains(load_error(net, type), "\"last.inner.count\": expected I64 {1}, found I32 {1}"));
  NamedTensors twice = good;
  twice.push_back(good[0]);
  CHECK(contains(load_error(net, twice), "\"weight\" is given twice"));
  NamedTensors undefined = good;
  undefined[2].second = Tensor();
  CHECK(contains(load_error(net, undefined), "\"0.weight\" is undefined"));

  CHECK(net.weight.to_vector() == std::vector<float>{1, 1});
  CHECK(net.inner->weight.to_vector() == std::vector<float>{4, 4});
  CHECK(load_error(net, good).empty());
  CHECK(net.weight.to_vector() == std::vector<float>{9, 9});
}

TEST_CASE("module: moving is seen by every handle, counters stay with the host") {
  const Device portable("cpu:portable");
  Net net;
  const NamedTensors state = net.state_dict();
  net.weight.set_grad(Tensor::full({2}, 7));
  net.to(portable);
  CHECK(net.last->weight.device() == portable);
  CHECK(state[0].second.device() == portable);
  CHECK(net.last->weight.to_vector() == std::vector<float>{3, 3});
  CHECK(net.weight.requires_grad());
  CHECK(net.weight.grad().device() == portable);
  CHECK(net.weight.grad().to_vector() == std::vector<float>{7, 7});
  CHECK(net.count.device() == Device());
  net.load_state_dict(cloned(Net().state_dict()));  // values of the host
  CHECK(net.weight.to_vector() == std::vector<float>{1, 1});
  net.to(Device());
  CHECK(net.weight.device() == Device());
  CHECK_THROWS_AS(net.to(Device("nosuch")), DeviceError);
  CHECK(net.weight.device() == Device());
}
