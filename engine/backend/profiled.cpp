#include "engine/backend/profiled.h"

#include <map>
#include <mutex>
#include <utility>

#include "engine/backend/registry.h"

namespace ntq {
namespace {

/// Bytes of views; nothing for those that stand for "none".
template <class... Views>
int64_t moved(const Views&... views) {
  const auto bytes = [](ConstView v) { return v ? v.size * static_cast<int64_t>(dtype_size(v.type)) : 0; };
  return (bytes(views) + ...);
}

/// A backend that passes every call on, and tells of it. All that Backend has a default for is passed on too: `inner`
/// may have something faster (tests/house/profiled_backend_test.cpp).
class ProfiledBackend : public Backend {
 public:
  explicit ProfiledBackend(Backend& inner) : in_(inner) {}

  Backend& inner() { return in_; }
  void tell(PrimitiveSink sink) { sink_ = std::move(sink); }

  std::string describe() const override { return in_.describe(); }
  bool host_memory() const override { return in_.host_memory(); }
  size_t bytes_free() const override { return in_.bytes_free(); }
  size_t bytes_held() const override { return in_.bytes_held(); }
  bool use_products(Products products) override { return in_.use_products(products); }
  Products products() const override { return in_.products(); }
  bool supports(Primitive primitive, DType type) const override { return in_.supports(primitive, type); }
  void* allocate(size_t bytes, MemoryKind kind) override { return in_.allocate(bytes, kind); }
  void release(void* memory, size_t bytes, MemoryKind kind) override { in_.release(memory, bytes, kind); }
  void synchronize() override { in_.synchronize(); }
  BackendError take_error() override { return in_.take_error(); }
  void copy(void* to, const void* from, size_t bytes, CopyKind kind) override {
    timed({"copy", 2 * static_cast<int64_t>(bytes)}, [&] { in_.copy(to, from, bytes, kind); });
  }
  uint64_t mark() override { return in_.mark(); }
  void copy_after(uint64_t place, void* to, const void* from, size_t bytes) override {
    timed({"copy", 2 * static_cast<int64_t>(bytes)}, [&] { in_.copy_after(place, to, from, bytes); });
  }
  void zero(void* memory, size_t bytes) override {
    timed({"zero", static_cast<int64_t>(bytes)}, [&] { in_.zero(memory, bytes); });
  }

  void fill(float value, View y) override {
    timed({"fill", moved(y)}, [&] { in_.fill(value, y); });
  }
  void cast(ConstView x, View y) override {
    timed({"cast", moved(x, y)}, [&] { in_.cast(x, y); });
  }
  void unary(Unary op, ConstView x, View y) override {
    timed({"unary", moved(x, y)}, [&] { in_.unary(op, x, y); });
  }
  void binary(Binary op, ConstView a, ConstView b, View y) override {
    timed({"binary", moved(a, b, y)}, [&] { in_.binary(op, a, b, y); });
  }
  void binary_along(const AlongArgs& args, ConstView a, ConstView b, View y) override {
    timed({"binary_along", moved(a, b, y)}, [&] { in_.binary_along(args, a, b, y); });
  }
  void where(ConstView condition, ConstView a, ConstView b, View y) override {
    timed({"where", moved(condition, a, b, y)}, [&] { in_.where(condition, a, b, y); });
  }
  void scale(float alpha, ConstView x, View y) override {
    timed({"scale", moved(x, y)}, [&] { in_.scale(alpha, x, y); });
  }
  void axpy(float alpha, ConstView x, View y) override {
    timed({"axpy", moved(x, y, y)}, [&] { in_.axpy(alpha, x, y); });
  }
  void relu(ConstView x, View y) override {
    timed({"relu", moved(x, y)}, [&] { in_.relu(x, y); });
  }
  void relu_grad(ConstView y, ConstView dy, View dx) override {
    timed({"relu_grad", moved(y, dy, dx)}, [&] { in_.relu_grad(y, dy, dx); });
  }

  void fold(Fold op, const AxisSplit& split, ConstView x, View y) override {
    timed({"fold", moved(x, y)}, [&] { in_.fold(op, split, x, y); });
  }
  void sum(ConstView x, double factor, View y) override {
    timed({"sum", moved(x, y)}, [&] { in_.sum(x, factor, y); });
  }
  void sum_rows(ConstView x, View y) override {
    timed({"sum_rows", moved(x, y)}, [&] { in_.sum_rows(x, y); });
  }
  void spread(const AxisSplit& split, ConstView x, View y) override {
    timed({"spread", moved(x, y)}, [&] { in_.spread(split, x, y); });
  }
  void sum_abs(ConstView x, View y) override {
    timed({"sum_abs", moved(x, y)}, [&] { in_.sum_abs(x, y); });
  }
  void all_finite(ConstView x, View y) override {
    timed({"all_finite", moved(x, y)}, [&] { in_.all_finite(x, y); });
  }

  void conv2d(const ConvGeometry& g, ConvInput x, ConstView w, View y) override {
    timed(product("conv2d", g, x.values, w, y), [&] { in_.conv2d(g, x, w, y); });
  }
  void conv2d_grad_input(const ConvGeometry& g, ConstView dy, ConstView w, View dx) override {
    timed(product("conv2d_grad_input", g, dy, w, dx), [&] { in_.conv2d_grad_input(g, dy, w, dx); });
  }
  void conv2d_grad_weight(const ConvGeometry& g, ConstView dy, ConvInput x, View dw) override {
    timed(product("conv2d_grad_weight", g, dy, x.values, dw), [&] { in_.conv2d_grad_weight(g, dy, x, dw); });
  }
  int64_t packed_filters(const ConvGeometry& g, ConvPass pass, DType type) const override {
    return in_.packed_filters(g, pass, type);
  }
  void pack_filters(const ConvGeometry& g, ConvPass pass, ConstView w, ConstView scale, View packed) override {
    timed({"pack_filters", moved(w, packed)}, [&] { in_.pack_filters(g, pass, w, scale, packed); });
  }
  void conv2d_codes(const ConvGeometry& g, const CodeConv& codes, View y) override {
    timed(product("conv2d_codes", g, codes.x, codes.w, y), [&] { in_.conv2d_codes(g, codes, y); });
  }

  void batch_norm_stats(ConstView x, const NormStats& s) override {
    timed({"batch_norm_stats", moved(x, s.mean, s.inv_std, s.running_mean, s.running_var)},
          [&] { in_.batch_norm_stats(x, s); });
  }
  void inverse_std(ConstView var, float eps, View y) override {
    timed({"inverse_std", moved(var, y)}, [&] { in_.inverse_std(var, eps, y); });
  }
  void batch_norm_apply(const NormArgs& args, View y) override {
    timed({"batch_norm_apply", moved(args.x, args.residual, y)}, [&] { in_.batch_norm_apply(args, y); });
  }
  void batch_norm_grad(const NormArgs& args, const NormGrads& grads) override {
    timed({"batch_norm_grad", moved(args.x, args.dy, args.y, grads.dx, grads.d_residual)},
          [&] { in_.batch_norm_grad(args, grads); });
  }

  void batch_norm_codes(const NormArgs& args, QuantRange range, ConstView step, View codes, View checked) override {
    timed({"batch_norm_codes", moved(args.x, args.residual, codes)},
          [&] { in_.batch_norm_codes(args, range, step, codes, checked); });
  }
  void batch_norm_codes_grad(const NormArgs& args, const QuantizeArgs& quantizer, ConstView step,
                             const NormGrads& grads, View dstep) override {
    timed({"batch_norm_codes_grad",
           moved(args.x, args.y, args.residual, args.dy, args.dy_codes, grads.dx, grads.d_residual)},
          [&] { in_.batch_norm_codes_grad(args, quantizer, step, grads, dstep); });
  }

  void max_pool(const PoolGeometry& g, ConstView x, View y, View index) override {
    timed({"max_pool", moved(x, y, index)}, [&] { in_.max_pool(g, x, y, index); });
  }
  void max_pool_grad(const PoolGeometry& g, ConstView dy, ConstView index, View dx) override {
    timed({"max_pool_grad", moved(dy, index, dx)}, [&] { in_.max_pool_grad(g, dy, index, dx); });
  }
  void avg_pool(const PoolGeometry& g, ConstView x, View y) override {
    timed({"avg_pool", moved(x, y)}, [&] { in_.avg_pool(g, x, y); });
  }
  void avg_pool_grad(const PoolGeometry& g, ConstView dy, View dx) override {
    timed({"avg_pool_grad", moved(dy, dx)}, [&] { in_.avg_pool_grad(g, dy, dx); });
  }
  void subsample(const SubsampleGeometry& g, ConstView x, View y) override {
    timed({"subsample", moved(y, y)}, [&] { in_.subsample(g, x, y); });
  }
  void subsample_grad(const SubsampleGeometry& g, ConstView dy, View dx) override {
    timed({"subsample_grad", moved(dy, dx)}, [&] { in_.subsample_grad(g, dy, dx); });
  }
  void crop_images(const ImageSizes& g, ConstView pixels, ConstView crops, ConstView values, View y) override {
    timed({"crop_images", moved(crops, y) + g.size()}, [&] { in_.crop_images(g, pixels, crops, values, y); });
  }

  void softmax_cross_entropy(const CrossEntropyArgs& args, View loss, View dlogits) override {
    timed({"softmax_cross_entropy", moved(args.logits, args.labels, loss, dlogits)},
          [&] { in_.softmax_cross_entropy(args, loss, dlogits); });
  }
  void count_correct(const CrossEntropyArgs& args, int64_t top, View hits) override {
    timed({"count_correct", moved(args.logits, args.labels, hits)}, [&] { in_.count_correct(args, top, hits); });
  }

  void quantize(const QuantizeArgs& args, ConstView x, ConstView step, View y) override {
    timed({"quantize", moved(x, step, y)}, [&] { in_.quantize(args, x, step, y); });
  }
  void quantize_grad(const QuantizeArgs& args, ConstView x, ConstView step, ConstView dy, View dx,
                     View dstep) override {
    timed({"quantize_grad", moved(x, step, dy, dx, dstep)}, [&] { in_.quantize_grad(args, x, step, dy, dx, dstep); });
  }
  void quantize_codes(QuantRange range, ConstView x, ConstView step, View codes, View checked) override {
    timed({"quantize_codes", moved(x, step, codes)}, [&] { in_.quantize_codes(range, x, step, codes, checked); });
  }
  void decode_codes(ConstView codes, ConstView step, View y) override {
    timed({"decode_codes", moved(codes, step, y)}, [&] { in_.decode_codes(codes, step, y); });
  }
  void quantize_error(QuantRange range, ConstView x, ConstView steps, View errors) override {
    timed({"quantize_error", moved(x, steps, errors)}, [&] { in_.quantize_error(range, x, steps, errors); });
  }

  void look_up(const LookUpTable& table, ConstView x, View y, View sums) override {
    timed({"look_up", moved(x, y, sums)}, [&] { in_.look_up(table, x, y, sums); });
  }
  void look_up_grad(const LookUpTable& table, ConstView x, ConstView dy, View dx, View sums) override {
    timed({"look_up_grad", moved(x, dy, dx, sums)}, [&] { in_.look_up_grad(table, x, dy, dx, sums); });
  }
  void basis_levels(const BasisArgs& args, ConstView basis, View levels, View midpoints, View codes) override {
    timed({"basis_levels", moved(basis, levels, midpoints, codes)},
          [&] { in_.basis_levels(args, basis, levels, midpoints, codes); });
  }
  void basis_fit(const BasisFit& args, ConstView codes, ConstView sums, View basis) override {
    timed({"basis_fit", moved(codes, sums, basis)}, [&] { in_.basis_fit(args, codes, sums, basis); });
  }
  void companding(const CompandingArgs& args, ConstView theta, ConstView alpha, const CompandingTable& table) override {
    timed({"companding", moved(theta, alpha, table.thresholds, table.values, table.slopes, table.codes)},
          [&] { in_.companding(args, theta, alpha, table); });
  }
  void companding_grad(const CompandingArgs& args, ConstView theta, ConstView alpha, ConstView sums, View dalpha,
                       View dtheta) override {
    timed({"companding_grad", moved(theta, alpha, sums, dalpha, dtheta)},
          [&] { in_.companding_grad(args, theta, alpha, sums, dalpha, dtheta); });
  }

  void sgd_step(const SgdUpdate& update, View w, ConstView g, View m) override {
    timed({"sgd_step", moved(w, w, g, m, m)}, [&] { in_.sgd_step(update, w, g, m); });
  }
  void sgd_steps(std::span<const SgdTensor> tensors) override {
    int64_t bytes = 0;
    for (const SgdTensor& each : tensors) bytes += moved(each.w, each.w, each.g, each.m, each.m);
    timed({"sgd_step", bytes}, [&] { in_.sgd_steps(tensors); });
  }
  void adam_step(const AdamUpdate& update, View w, ConstView g, View m, View v) override {
    timed({"adam_step", moved(w, w, g, m, m, v, v)}, [&] { in_.adam_step(update, w, g, m, v); });
  }

 private:
  static PrimitiveCall product(const char* name, const ConvGeometry& g, ConstView a, ConstView b, ConstView y) {
    return {
        .name = name, .bytes = moved(a, b, y), .conv = g, .flop = 2 * g.macs(), .a = a.type, .b = b.type, .y = y.type};
  }
  template <class Run>
  void timed(PrimitiveCall call, const Run& run) {
    call.begin = std::chrono::steady_clock::now();
    run();
    if (!in_.host_memory()) in_.synchronize();
    call.end = std::chrono::steady_clock::now();
    if (sink_) sink_(call);
  }

  Backend& in_;
  PrimitiveSink sink_;
};

}  // namespace

void profile_primitives(Device device, PrimitiveSink sink) {
  static std::mutex mutex;
  static auto& made = *new std::map<size_t, ProfiledBackend*>;  // as the registry's backends: never destroyed
  const std::lock_guard lock(mutex);
  ProfiledBackend*& own = made[device.id()];
  if (!own) own = new ProfiledBackend(backend_for(device));
  exchange_backend(device, sink ? *own : own->inner());
  own->tell(std::move(sink));
}

}  // namespace ntq
