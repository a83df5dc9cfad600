// The primitives that class Backend derives from others, where a device has none of its own: the list on a CPU that
// forgot its own.
#include <doctest/doctest.h>

#include <set>

#include "engine/backend/cpu/cpu_backend.h"
#include "tests/engine/backend_list/list.h"

using namespace ntq;
using namespace ntq::test;

namespace {

struct Derived : cpu::CpuBackend {
  using cpu::CpuBackend::CpuBackend;
  void scale(float alpha, ConstView x, View y) override { Backend::scale(alpha, x, y); }
  void axpy(float alpha, ConstView x, View y) override { Backend::axpy(alpha, x, y); }
  void relu(ConstView x, View y) override { Backend::relu(x, y); }
  void relu_grad(ConstView y, ConstView dy, View dx) override { Backend::relu_grad(y, dy, dx); }
  void sum_rows(ConstView x, View y) override { Backend::sum_rows(x, y); }
  void sum_abs(ConstView x, View y) override { Backend::sum_abs(x, y); }
  void all_finite(ConstView x, View y) override { Backend::all_finite(x, y); }
  void inverse_std(ConstView var, float eps, View y) override { Backend::inverse_std(var, eps, y); }
  void batch_norm_codes(const NormArgs& args, QuantRange range, ConstView step, View codes, View checked) override {
    Backend::batch_norm_codes(args, range, step, codes, checked);
  }
  void batch_norm_codes_grad(const NormArgs& args, const QuantizeArgs& quantizer, ConstView step,
                             const NormGrads& grads, View dstep) override {
    Backend::batch_norm_codes_grad(args, quantizer, step, grads, dstep);
  }
  void conv2d_codes(const ConvGeometry& g, const CodeConv& codes, View y) override {
    Backend::conv2d_codes(g, codes, y);
  }
  void subsample(const SubsampleGeometry& g, ConstView x, View y) override { Backend::subsample(g, x, y); }
  void subsample_grad(const SubsampleGeometry& g, ConstView dy, View dx) override {
    Backend::subsample_grad(g, dy, dx);
  }
  void quantize_error(QuantRange range, ConstView x, ConstView steps, View errors) override {
    Backend::quantize_error(range, x, steps, errors);
  }
  void sgd_step(const SgdUpdate& u, View w, ConstView g, View m) override { Backend::sgd_step(u, w, g, m); }
  void adam_step(const AdamUpdate& u, View w, ConstView g, View m, View v) override {
    Backend::adam_step(u, w, g, m, v);
  }
};

const std::set<Primitive> kDerived = {Primitive::scale,
                                      Primitive::axpy,
                                      Primitive::relu,
                                      Primitive::relu_grad,
                                      Primitive::sum_rows,
                                      Primitive::sum_abs,
                                      Primitive::all_finite,
                                      Primitive::inverse_std,
                                      Primitive::subsample,
                                      Primitive::subsample_grad,
                                      Primitive::conv2d_codes,
                                      Primitive::quantize_error,
                                      Primitive::sgd_step,
                                      Primitive::adam_step,
                                      Primitive::batch_norm_codes,
                                      Primitive::batch_norm_codes_grad};

/// The same without memory from the given allocation on; primitives say when they are called for nothing.
struct NoMemory : Derived {
  using Derived::Derived;
  int left = -1;  ///< allocations before there is none; below 0: no end
  void* allocate(size_t bytes, MemoryKind kind) override {
    if (left == 0) return nullptr;
    if (left > 0) --left;
    return CpuBackend::allocate(bytes, kind);
  }
  void release(void* memory, size_t bytes, MemoryKind kind) override {
    CHECK(memory != nullptr);
    CpuBackend::release(memory, bytes, kind);
  }
  void fill(float value, View y) override {
    if (there({y})) CpuBackend::fill(value, y);
  }
  void unary(Unary op, ConstView x, View y) override {
    if (there({x, y})) CpuBackend::unary(op, x, y);
  }
  void binary(Binary op, ConstView a, ConstView b, View y) override {
    if (there({a, b, y})) CpuBackend::binary(op, a, b, y);
  }
  void binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) override {
    if (there({a, b, y})) CpuBackend::binary_along(args, a, b, y);
  }
  void where(ConstView condition, ConstView a, ConstView b, View y) override {
    if (there({condition, a, b, y})) CpuBackend::where(condition, a, b, y);
  }
  void sum(ConstView x, double factor, View y) override {
    if (there({x, y})) CpuBackend::sum(x, factor, y);
  }
  void conv2d(const ConvGeometry&, ConvInput x, ConstView w, View y) override { there({x.values, w, y}); }
  void quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) override {
    if (there({x, step, y})) CpuBackend::quantize(args, x, step, y);
  }
  static bool there(std::initializer_list<ConstView> views) {
    for (const ConstView& view : views) {
      CHECK(view);
      if (!view) return false;
    }
    return true;
  }
};

}  // namespace

TEST_CASE("derived primitives that get no memory leave it at that") {
  NoMemory backend(cpu::kernels_of("portable"));
  std::set<Primitive> checked;
  for (const Family& family : kFamilies) {
    for (BackendCase& one : family.cases()) {
      if (!kDerived.contains(one.primitive) || !checked.insert(one.primitive).second) continue;
      CAPTURE(name_of(one.primitive));
      one.call = [&backend, call = one.call](Backend& b, const Inputs& in, const Outputs& out) {
        for (const int there : {0, 1}) {
          backend.left = there;
          call(b, in, out);
        }
        backend.left = -1;
      };
      outputs_of(one, backend);
    }
  }
}

TEST_CASE("derived primitives agree with those of the CPU") {
  Derived backend(cpu::kernels_of("portable"));
  std::set<Primitive> checked;
  for (const Family& family : kFamilies) {
    BackendCases cases = family.cases();
    std::erase_if(cases, [](const BackendCase& one) { return !kDerived.contains(one.primitive); });
    for (const BackendCase& one : cases) checked.insert(one.primitive);
    run_list(cases, {{"cpu with derived primitives", &backend}});
  }
  CHECK(checked == kDerived);
}
