// What weights do while they are trained, by hand and across a stop.
#include "train/weight_statistics.h"

#include <doctest/doctest.h>

#include "layers/linear.h"
#include "tests/support/emulated_device.h"
#include "tests/support/text.h"
#include "tests/train/tiny.h"
#include "train/checkpoint.h"
#include "train/loop.h"
#include "train/step.h"

using namespace ntq;
using ntq::test::cloned;
using ntq::test::contains;
using ntq::test::error_of;
using ntq::test::Small;

namespace {

/// A layer of two weights, or of `features` in two rows, and its step 1.
std::shared_ptr<Linear> linear_of_two(int bits, const std::string& method = "lsq", int64_t features = 1,
                                      bool per_channel = false) {
  LinearOptions options;
  options.in_features = features, options.out_features = 2;
  options.bias = false;
  options.weight_quant = {.method = method, .bits = bits, .per_channel = per_channel};
  options.name = "fc";
  auto layer = std::make_shared<Linear>(options);
  if (bits < 32) test::state_of(*layer, "weight_quant.step").fill(1);
  return layer;
}

void set_weights(const Module& layer, std::initializer_list<float> values) {
  test::state_of(layer, "weight").copy_from(Tensor::from(test::state_of(layer, "weight").shape(), values));
}

struct OneLinear : Module {
  std::shared_ptr<Linear> fc;
  explicit OneLinear(std::shared_ptr<Linear> layer) : fc(register_module("fc", std::move(layer))) {}
  Tensor forward(const Tensor& x) override { return fc->forward(x); }
};

WeightFigures figures_with(WeightStatistics& statistics, OneLinear& root, float a, float b) {
  set_weights(*root.fc, {a, b});
  statistics.look(true);
  return statistics.read().at(0);
}

/// Trains with a look behind each step.
void train_and_look(Training& t, const LoopOptions& options) {
  const LoopEvents events{.updated = [&] { t.statistics->look(false); },
                          .step = [&](const StepScore&) { t.statistics->read(); }};
  train(t, options, events);
}

bool same_statistics(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const bool bytes = a[i].second.dtype() == DType::i8;
    if (a[i].first != b[i].first) return false;
    if (bytes ? a[i].second.to_vector<int8_t>() != b[i].second.to_vector<int8_t>()
              : a[i].second.to_vector<int32_t>() != b[i].second.to_vector<int32_t>())
      return false;
  }
  return true;
}

Training training_with_statistics() {
  Training t = test::tiny_training(2);
  t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
  t.schedule.lr = 0.5f;  // so that codes turn
  t.statistics = std::make_unique<WeightStatistics>(*t.model);
  return t;
}

}  // namespace

TEST_CASE("statistics: step, error, range, clipped and oscillating weights") {
  OneLinear root(linear_of_two(4));
  WeightStatistics statistics(root);
  WeightFigures f = figures_with(statistics, root, 0.25f, -9);  // Q: 0, -8
  CHECK(f.layer == "fc");
  CHECK(f.bits == 4);
  CHECK(f.step == 1.0);
  CHECK(f.error == (0.25 + 1) / 2);
  CHECK(f.max_weight == 9);
  CHECK(f.clipped == 0.5);
  CHECK(f.oscillating == 0.0);
  figures_with(statistics, root, 1, -7);
  f = figures_with(statistics, root, 0, -6);  // the first has turned: .01 is above .005
  CHECK(f.oscillating == 0.5);
  CHECK(f.clipped == 0.0);
  CHECK(figures_with(statistics, root, 7.25f, -8).clipped == 0.5);  // the ends themselves are on the grid
  for (int look = 0; look < 67; ++look) figures_with(statistics, root, 0, -8);
  CHECK(figures_with(statistics, root, 0, -8).oscillating ==
        1.0);  // both have turned at 7.25 and -8, or on the way back
  for (int look = 0; look < 200; ++look) figures_with(statistics, root, 0, -8);
  CHECK(figures_with(statistics, root, 0, -8).oscillating == 0.0);
}

TEST_CASE("statistics: looks without figures count, and read() gives them in order") {
  OneLinear root(linear_of_two(4));
  WeightStatistics statistics(root);
  for (const float code : {0.f, 1.f, 0.f}) {
    set_weights(*root.fc, {code, code});
    statistics.look(code == 1);
  }
  CHECK(statistics.read().empty());
  CHECK(statistics.read().at(0).oscillating == 0.0);
  CHECK(statistics.now().at(0).oscillating == 0.0);
  CHECK(statistics.read().empty());
  CHECK(statistics.now().at(0).oscillating == 1.0);
  CHECK_THROWS_AS(statistics.read(), std::invalid_argument);
}

TEST_CASE("clipped weights lie beyond the ends of their own channel") {
  const auto channels = linear_of_two(4, "lsq", 2, true);
  test::state_of(*channels, "weight_quant.step").copy_from(Tensor::from({2}, {1, 0.5f}));
  set_weights(*channels, {7.5f, 5, 5, 3});
  OneLinear root(channels);
  const WeightFigures f = weight_figures(root).at(0);
  CHECK(f.clipped == 0.5);  // 7.5 of a channel to 7, 5 of one to 3.5
  CHECK(f.step == 0.75);
}

TEST_CASE("full precision has a range alone; means count the layers that have a figure") {
  OneLinear root(linear_of_two(32));
  WeightStatistics statistics(root);
  const WeightFigures f = figures_with(statistics, root, 0.5f, -2);
  CHECK(f.bits == 32);
  CHECK(f.max_weight == 2);
  CHECK_FALSE((f.step || f.error || f.clipped || f.oscillating));
  CHECK(statistics.state_dict().empty());
  const WeightFigures a{
      .layer = "a", .bits = 4, .weights = 10, .max_weight = 1, .step = 2, .error = 3, .oscillating = 0.1};
  const WeightFigures b{
      .layer = "b", .bits = 4, .weights = 30, .max_weight = 3, .step = 4, .error = 1, .oscillating = 0.5};
  const WeightMeans means = weight_means({a, b, f});
  CHECK(means.max_weight == 2);
  CHECK(means.step == 3.0);
  CHECK(means.error == (10 * 3.0 + 30 * 1.0) / 40);
  CHECK(means.oscillating == doctest::Approx((10 * 0.1 + 30 * 0.5) / 40));
  CHECK_FALSE(means.clipped);
}

TEST_CASE("of a large layer runs of weights are looked at, whether or not a code needs its channel's step") {
  for (const bool per_channel : {false, true}) {
    OneLinear root(linear_of_two(4, "lsq", kMostLookedAt, per_channel));  // two rows: of 128 weights the first 64
    WeightStatistics statistics(root);
    Tensor w = test::state_of(*root.fc, "weight");
    for (const float code : {0.f, 1.f, 0.f}) {
      w.copy_from(Tensor::zeros(w.shape()));
      for (int64_t i = 0; i < kMostLookedAt; i += 128) w.f32()[i] = w.f32()[i + 63] = code;   // seen: 2 of each run
      for (int64_t i = 64; i < kMostLookedAt; i += 128) w.f32()[i] = w.f32()[i + 63] = code;  // not seen
      statistics.look(false);
      statistics.read();
    }
    CHECK(statistics.now().at(0).oscillating == 1.0 / 64);  // the first row's half of the runs
    CHECK(statistics.state_dict()[0].second.numel() == kMostLookedAt);
  }
}

TEST_CASE("stopped anywhere and gone on, the statistics end the same") {
  Training whole = training_with_statistics();
  train_and_look(whole, {});
  const NamedTensors expected = whole.statistics->state_dict();
  REQUIRE(expected.size() == 6);
  const std::vector<int32_t> bits = expected[2].second.to_vector<int32_t>();
  CHECK(std::count(bits.begin(), bits.end(), 0) < std::ssize(bits));  // some have turned
  for (int64_t stop_at = 1; stop_at < 8; ++stop_at) {
    Training stopped = training_with_statistics();
    std::optional<Checkpoint> last;
    int64_t asked = 0;
    const auto save = [&] {
      TensorFile file = checkpoint_file(stopped);
      file.tensors = cloned(file.tensors);
      last = read_checkpoint(std::move(file), "last");
    };
    CHECK_THROWS_AS(train_and_look(stopped, {.save = save, .stop = [&] { return ++asked == stop_at; }}),
                    TrainingStopped);
    Training resumed = training_with_statistics();
    REQUIRE(last);
    restore(resumed, *last, "last");
    train_and_look(resumed, {.read_every = 3});
    CHECK(same_statistics(resumed.statistics->state_dict(), expected));
  }
}

TEST_CASE("statistics of another model, or that no looks leave, are refused; without any they start anew") {
  Training t = training_with_statistics();
  train_and_look(t, {});
  const NamedTensors good = cloned(t.statistics->state_dict());
  const auto refused = [&](size_t at, const Tensor& value) {
    NamedTensors state = good;
    state[at].second = value;
    return error_of<std::invalid_argument>([&] { t.statistics->load_state_dict(state); });
  };
  CHECK(contains(refused(0, Tensor::zeros({3}, DType::i8)), "statistics of first.code: expected 54 elements"));
  CHECK(contains(refused(2, Tensor::zeros({54})), "expected 54 elements of I32, found {54} of F32"));
  CHECK(contains(refused(1, Tensor::from({54}, std::span<const int8_t>(std::vector<int8_t>(54, 2)))), "directions"));
  CHECK(contains(refused(2, Tensor::from({54}, std::span<const int32_t>(std::vector<int32_t>(54, -1)))), "[0, 1]"));
  NamedTensors some(good.begin(), good.begin() + 2), others = good;
  CHECK(contains(error_of<std::invalid_argument>([&] { t.statistics->load_state_dict(some); }), "some of them"));
  others.emplace_back("third.code", good[0].second);
  CHECK(
      contains(error_of<std::invalid_argument>([&] { t.statistics->load_state_dict(others); }), "1 tensors of others"));
  t.statistics->load_state_dict({});
  CHECK(t.statistics->state_dict().empty());
}

TEST_CASE("a look on another device reads nothing back before read()") {
  Training t = test::tiny_training(4);
  t.model->to(test::emulated_device());
  t.optimizer = std::make_unique<Sgd>(t.model->parameters(), SgdOptions{});
  WeightStatistics statistics(*t.model);
  const auto step = [&] {
    t.train_loader->start(0, 0);
    train_step(*t.model, *t.optimizer, *t.train_loader->next(), cross_entropy(), 0.01f);
  };
  step();  // sets the quantizers' first steps
  statistics.look(true);
  const auto before = test::emulated_counters().copies_to_host;
  statistics.look(true);
  CHECK(test::emulated_counters().copies_to_host == before);
  statistics.read();
  const std::vector<WeightFigures> layers = statistics.read();
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].oscillating);
  CHECK(*layers[0].error > 0);
}
