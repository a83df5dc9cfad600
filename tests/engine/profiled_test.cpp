// A device whose primitives are timed: what is told of them, and that it ends.
#include "engine/backend/profiled.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "engine/autograd.h"
#include "engine/backend/registry.h"
#include "engine/op_watch.h"
#include "engine/ops/binary.h"
#include "engine/ops/conv.h"
#include "engine/ops/reduce.h"

using namespace ntq;

TEST_CASE("profile_primitives: each call with its bytes and operations, until it is ended") {
  const Device device("cpu:portable");
  const Backend* const plain = &backend_for(device);
  const Tensor x = Tensor::full({1, 4, 4, 2}, 1.5f, device), w = Tensor::full({3, 1, 1, 2}, 2.0f, device);
  std::vector<PrimitiveCall> calls;
  profile_primitives(device, [&](const PrimitiveCall& call) { calls.push_back(call); });
  CHECK(&backend_for(device) != plain);
  const Tensor y = conv2d(x, w, {});
  CHECK(y.to_vector() == std::vector<float>(48, 6.0f));
  const Tensor z = add(x, x);
  profile_primitives(device, {});
  CHECK(&backend_for(device) == plain);
  const Tensor unseen = add(z, x);
  CHECK(unseen.to_vector()[0] == 4.5f);

  std::vector<std::string> names;
  for (const PrimitiveCall& call : calls) {
    CHECK(call.end >= call.begin);
    if (std::string(call.name) != "copy") names.push_back(call.name);  // of to_vector()
  }
  REQUIRE(names == std::vector<std::string>{"conv2d", "binary"});
  CHECK(calls[0].flop == 2 * 16 * 3 * 2);
  CHECK(calls[0].bytes == 4 * (32 + 6 + 48));
  CHECK(calls[0].conv.out_c == 3);
  CHECK(calls.back().flop == 0);
  CHECK(calls.back().bytes == 4 * 3 * 32);
}

TEST_CASE("op_watch: told of each op and of its gradient") {
  std::vector<std::string> told;
  OpWatch watch;
  watch.forward = [&](const char* op, const std::vector<Tensor>& inputs) {
    told.push_back(op + std::to_string(inputs.size()));
  };
  watch.gradient_begins = [&](const char* op, const std::vector<Tensor>&) { told.push_back(std::string("d ") + op); };
  watch.gradient_ends = [&] { told.push_back("end"); };
  CHECK(set_op_watch(&watch) == nullptr);
  Tensor x = Tensor::full({2}, 3.0f);
  x.set_requires_grad(true);
  sum(mul(x, x)).backward();
  CHECK(set_op_watch(nullptr) == &watch);
  mul(x, x);
  CHECK(join(told) == "mul2, sum1, d sum, end, d mul, mul2, mul2, end");
}
