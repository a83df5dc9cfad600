// ntq as a library: a quantizer of one's own, two layers that use it, and a training loop.
// Points of the square [-1,1]^2 are to be told apart by whether they lie in a disc. The weights are ternary.
#include <cstdio>
#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "engine/ops/binary.h"
#include "engine/ops/cast.h"
#include "engine/ops/loss.h"
#include "engine/ops/reduce.h"
#include "engine/ops/reshape.h"
#include "engine/ops/unary.h"
#include "layers/linear.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "quant/method.h"
#include "quant/tree.h"

namespace {

/// Ternary weights (Li et al. 2016, arXiv 1605.04711): step * {-1,0,1}, zero up to some part of mean|w|; the step is
/// the mean of |w| over the rest. Straight-through gradient. Nothing is learned but the weights themselves.
class TernaryQuantizer : public ntq::Quantizer {
 public:
  explicit TernaryQuantizer(const ntq::QuantSpec& spec)
      : Quantizer(spec),
        threshold_(spec.setting("threshold").f32()),
        step_(register_buffer("step", ntq::Tensor::zeros({1}))) {}

  ntq::QuantRange range() const override { return {-1, 1}; }
  ntq::CodeGrid grid() const override { return {.range = range(), .step = step_}; }
  ntq::QuantTraits traits() const override { return {.levels = 3, .idempotent = false, .symmetric = true}; }

 private:
  ntq::Tensor quantized(const ntq::Tensor& w) override {
    const auto values = [&] {
      const ntq::Tensor code = ternary(w), size = ntq::abs(w), kept = ntq::abs(code);
      step_.copy_from(ntq::div(ntq::sum(ntq::mul(size, kept)), ntq::max(ntq::sum(kept), 1.0f)));
      return ntq::mul(code, step_);
    };
    return ntq::custom_grad({"ternary"}, {w}, values, [](const ntq::Tensor& dy) { return std::vector{dy}; });
  }
  ntq::Tensor codes(const ntq::Tensor& w) const override { return ntq::cast_i8(ternary(w)); }

  /// -1, 0 or 1.
  ntq::Tensor ternary(const ntq::Tensor& w) const {
    const ntq::Tensor size = ntq::abs(w);
    return ntq::mul(ntq::sign(w), ntq::less(ntq::mul(threshold_, ntq::mean(size)), size));
  }

  float threshold_;
  ntq::Tensor step_;
};

ntq::QuantMethod ternary_method() {
  return {.name = "ternary",
          .help = "ternary weights (Li et al. 2016, arXiv 1605.04711)",
          .settings = {{.name = "threshold",
                        .standard = 0.7,
                        .within = {.low = 0, .high = 10},
                        .help = "weights up to this part of mean|w| become 0"}},
          .scope = {.most_bits = 2, .signed_inputs = false, .unsigned_inputs = false},
          .make = [](const ntq::QuantSpec& spec) { return std::make_shared<TernaryQuantizer>(spec); }};
}

/// {N,2} -> linear -> ReLU -> linear -> {N,2}; ternary weights, and a 4-bit LSQ input for the second layer.
class Net : public ntq::Module {
 public:
  Net() {
    const ntq::QuantSpec ternary{.method = "ternary", .bits = 2, .settings = {{"threshold", 0.6}}};
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
  std::vector<float> position;
  std::vector<int32_t> in_disc;
  const ntq::RandomKey key{.seed = 1, .stream = stream};
  for (int64_t i = 0; i < count; ++i) {
    const float x = 2 * ntq::random_unit(key, uint64_t(2 * i)) - 1,
                y = 2 * ntq::random_unit(key, uint64_t(2 * i + 1)) - 1;
    position.insert(position.end(), {x, y});
    in_disc.push_back(x * x + y * y < 0.5f);
  }
  return {ntq::Tensor::from({count, 2}, std::span<const float>(position)),
          ntq::Tensor::from({count}, std::span<const int32_t>(in_disc))};
}

double accuracy(Net& net, const Points& points) {
  const ntq::NoGrad no_grad;
  net.eval();
  const ntq::Tensor margin = ntq::sum(ntq::mul(net(points.position), ntq::Tensor::from({2}, {-1, 1})), {-1});  // {N,1}
  const ntq::Tensor truth = ntq::reshape(ntq::cast_f32(points.in_disc), margin.shape());
  net.train();
  return double(ntq::mean(ntq::equal(ntq::less(0.0f, margin), truth)).item());
}

int run() {
  ntq::register_quantizer(ternary_method());
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
    ntq::count_optimizer_step(net);
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
