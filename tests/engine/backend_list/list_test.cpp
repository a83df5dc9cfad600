// The list of backend_list/ on every backend, and the list itself: it leaves no primitive out, and it can fail.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "engine/backend/cpu/cpu_backend.h"
#include "tests/engine/backend_list/list.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

namespace ntq::test {

const std::vector<Family> kFamilies = {{"elementwise", elementwise_cases},
                                       {"reductions", reduction_cases},
                                       {"convolution", conv_cases},
                                       {"convolution, types", conv_type_cases},
                                       {"convolution, codes", conv_codes_cases},
                                       {"batch norm", norm_cases},
                                       {"pooling", pool_cases},
                                       {"loss", loss_cases},
                                       {"quantizers", quantize_cases},
                                       {"tables", look_up_cases},
                                       {"optimizers", optimizer_cases},
                                       {"bfloat16", bf16_cases}};

}  // namespace ntq::test

TEST_CASE("every backend agrees with the definition or the portable kernels") {
  for (const Family& family : kFamilies) {
    SUBCASE(family.name) {
      const BackendCases cases = family.cases();
      const ListReport report = run_list(cases);
      CHECK(report.ran >= static_cast<int64_t>(cases.size()));
    }
  }
}

TEST_CASE("every primitive has a case") {
  std::set<Primitive> listed;
  for (const Family& family : kFamilies) {
    for (const BackendCase& one : family.cases()) listed.insert(one.primitive);
  }
  for (int i = 0; !name_of(static_cast<Primitive>(i)).empty(); ++i) {
    CAPTURE(name_of(static_cast<Primitive>(i)));
    CHECK(listed.contains(static_cast<Primitive>(i)));
  }
}

TEST_CASE("a primitive that a backend lacks is skipped by name and counted, not called") {
  struct NoRelu : cpu::CpuBackend {
    NoRelu() : CpuBackend(cpu::kernels_of("portable")) {}
    bool supports(Primitive primitive, DType) const override { return primitive != Primitive::relu; }
    void relu(ConstView, View) override { FAIL("called"); }
  } backend;
  const auto relu = [](Backend& b, const Inputs& in, const Outputs& out) { b.relu(in[0], out[0]); };
  const BackendCase one{Primitive::relu, "3", {Tensor::full({3}, 1)}, {output(3)}, relu};
  const auto fill = [](Backend& b, const Inputs&, const Outputs& out) { b.fill(1, out[0]); };
  const ListReport report =
      run_list({one, one, {Primitive::fill, "2", {}, {output(2)}, fill}}, {{"half a device", &backend}});
  CHECK(report.ran == 1);
  CHECK(report.skipped == std::map<std::string, int64_t>{{"half a device has no relu", 2}});
}

TEST_CASE("what is wrong is seen: values, overruns, inputs, threads") {
  // Each is a call that goes wrong in one way; wrong_in() says what the list would report.
  const Tensor x = Tensor::full({9}, 1);
  const auto of = [&](auto call) { return BackendCase{Primitive::fill, "9", {x}, {output(9)}, call}; };
  const BackendCase good = of([](Backend& b, const Inputs&, const Outputs& out) { b.fill(1, out[0]); });
  const BackendCase bad_value = of([](Backend& b, const Inputs&, const Outputs& out) {
    b.fill(1, out[0]), b.fill(1.0f + 0x1p-23f, out[0].part(8, 1));
  });
  const BackendCase unwritten = of([](Backend& b, const Inputs&, const Outputs& out) { b.fill(1, out[0].part(0, 8)); });
  const BackendCase overrun = of([](Backend& b, const Inputs&, const Outputs& out) { b.fill(1, out[0].part(0, 10)); });
  const BackendCase underrun =
      of([](Backend& b, const Inputs&, const Outputs& out) { b.fill(1, out[0].part(-1, 10)); });
  const BackendCase input = of([](Backend& b, const Inputs& in, const Outputs& out) {
    b.fill(1, out[0]), b.fill(2, {const_cast<void*>(in[0].data), DType::f32, 1});
  });
  const BackendCase threads = of([](Backend& b, const Inputs&, const Outputs& out) {
    b.fill(cpu_threads() > 1 ? 1.0f + 0x1p-23f : 1.0f, out[0]);
  });
  const auto wrong = [&](const BackendCase& one) { return wrong_in(one, {x}, *all_backends().front().backend); };
  CHECK(wrong(good).empty());
  CHECK(contains(wrong(bad_value), "element 8"));
  CHECK(contains(wrong(unwritten), "element 8"));
  for (const BackendCase& one : {overrun, underrun, input}) CHECK(contains(wrong(one), "were written"));
  CHECK(contains(wrong(threads), "other bits"));
  const BackendCase no_number = of([](Backend& b, const Inputs&, const Outputs& out) {
    b.fill(std::copysign(std::nanf(""), cpu_threads() > 1 ? 1.0f : -1.0f), out[0]);
  });
  const Tensor none = Tensor::full({9}, std::nanf(""));
  CHECK(contains(wrong_in(no_number, {none}, *all_backends().front().backend), "other bits"));
}
