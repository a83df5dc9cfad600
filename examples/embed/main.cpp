// ntq as a library: a quantizer of one's own, two layers that use it, and a training loop.
// Points of the square [-1,1]^2 are to be told apart by whether they lie in a disc. The weights are ternary.
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <vector>

#include "engine/ops/elementwise.h"
#include "engine/ops/loss.h"
#include "layers/linear.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "quant/quantizer.h"

namespace {

/// Ternary weights (Li et al. 2016, arXiv 1605.04711): step * {-1,0,1}, zero up to 0.7 mean|w|; the step is the mean of
/// |w| over the rest. Straight-through gradient. Nothing is learned but the weights themselves.
class TernaryQuantizer : public ntq::Quantizer {
 public:
  explicit TernaryQuantizer(const ntq::QuantSpec& spec)
      : Quantizer(spec), step_(register_buffer("step", ntq::Tensor::zeros({1}))) {
    ntq::check(spec.is_weight && spec.bits == 2, spec.name, ": ternary needs weights of 2 bits");
  }

  ntq::Tensor forward(const ntq::Tensor& w) override {
    step_.fill(mean_abs_above(w, threshold(w)));
    const auto quantized = [&] {
      const ntq::Tensor code = codes(w), out = ntq::Tensor::empty(w.shape());
      for (int64_t i = 0; i < w.numel(); ++i) out.f32()[i] = step_.item() * float(code.data<int32_t>()[i]);
      return out;
    };
    return ntq::custom_grad({w}, quantized, [](const ntq::Tensor& dy) { return std::vector{dy}; });
  }

  ntq::Tensor step() const override { return step_; }

  ntq::Tensor codes(const ntq::Tensor& w) const override {
    const float zero_up_to = threshold(w);
    ntq::Tensor out = ntq::Tensor::empty(w.shape(), ntq::DType::i32);
    for (int64_t i = 0; i < w.numel(); ++i) {
      const float value = w.f32()[i];
      out.data<int32_t>()[i] = std::fabs(value) <= zero_up_to ? 0 : value > 0 ? 1 : -1;
    }
    return out;
  }

 private:
  static float threshold(const ntq::Tensor& w) { return 0.7f * mean_abs_above(w, -1.0f); }

  static float mean_abs_above(const ntq::Tensor& w, float bound) {
    double sum = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < w.numel(); ++i) {
      const float size = std::fabs(w.f32()[i]);
      if (size > bound) sum += size, ++count;
    }
    return count > 0 ? float(sum / double(count)) : 0.0f;
  }

  ntq::Tensor step_;
};

/// {N,2} -> linear -> ReLU -> linear -> {N,2}; ternary weights, and a 4-bit LSQ input for the second layer.
class Net : public ntq::Module {
 public:
  Net() {
    const ntq::QuantSpec ternary{.method = "ternary", .bits = 2};
    const ntq::QuantSpec lsq4{.method = "lsq", .bits = 4, .is_signed = false, .is_weight = false};
    ntq::LinearOptions hidden{.in_features = 2, .out_features = 64, .weight_quant = ternary, .name = "hidden"};
    ntq::LinearOptions output{.in_features = 64, .out_features = 2, .weight_quant = ternary, .input_quant = lsq4};
    output.name = "output";
    hidden_ = register_module("hidden", std::make_shared<ntq::Linear>(hidden));
    output_ = register_module("output", std::make_shared<ntq::Linear>(output));
  }
  ntq::Tensor forward(const ntq::Tensor& x) override { return output_->forward(ntq::relu(hidden_->forward(x))); }

 private:
  std::shared_ptr<ntq::Linear> hidden_, output_;
};

struct Points {
  ntq::Tensor position;  // {N,2}
  ntq::Tensor in_disc;   // {N} int32
};

Points make_points(int64_t count, uint32_t stream) {
  Points points{ntq::Tensor::empty({count, 2}), ntq::Tensor::empty({count}, ntq::DType::i32)};
  const ntq::RandomKey key{.seed = 1, .stream = stream};
  for (int64_t i = 0; i < count; ++i) {
    const float x = 2 * ntq::random_unit(key, uint64_t(2 * i)) - 1,
                y = 2 * ntq::random_unit(key, uint64_t(2 * i + 1)) - 1;
    points.position.f32()[2 * i] = x;
    points.position.f32()[2 * i + 1] = y;
    points.in_disc.data<int32_t>()[i] = x * x + y * y < 0.5f;
  }
  return points;
}

double accuracy(Net& net, const Points& points) {
  const ntq::NoGrad no_grad;
  net.eval();
  const ntq::Tensor logits = net(points.position);
  int64_t right = 0;
  for (int64_t i = 0; i < logits.size(0); ++i) {
    right += (logits.f32()[2 * i + 1] > logits.f32()[2 * i]) == (points.in_disc.data<int32_t>()[i] == 1);
  }
  net.train();
  return double(right) / double(logits.size(0));
}

int run() {
  ntq::register_quantizer("ternary",
                          [](const ntq::QuantSpec& spec) { return std::make_shared<TernaryQuantizer>(spec); });
  Net net;
  const Points train = make_points(1024, 1), test = make_points(1024, 2);
  constexpr int64_t kSteps = 400;
  const ntq::Schedule schedule{.lr = 0.2f, .steps_per_epoch = kSteps};
  ntq::Sgd sgd(net.parameters(), {.weight_decay = 0.0f});
  for (int64_t step = 0; step < kSteps; ++step) {
    sgd.zero_grad();
    const ntq::Tensor loss = ntq::softmax_cross_entropy(net(train.position), train.in_disc);
    loss.backward();
    sgd.step(schedule.at(step));
    if (step % 100 == 0) std::printf("step %3d  loss %.4f\n", int(step), double(loss.item()));
  }
  const double top1 = accuracy(net, test);
  std::printf("%.1f%% of 1024 unseen points right, with ternary weights\n", 100 * top1);
  return top1 > 0.9 ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
