// Values small enough to check by hand.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/ops/binary.h"
#include "engine/ops/conv.h"
#include "engine/ops/linear.h"
#include "engine/ops/loss.h"
#include "engine/ops/norm.h"
#include "engine/ops/pool.h"
#include "engine/ops/reduce.h"
#include "engine/ops/subsample.h"
#include "engine/ops/unary.h"

using namespace ntq;

TEST_CASE("conv2d: a 2x2 filter of ones sums its window") {
  const Tensor x = Tensor::from({1, 2, 3, 1}, {1, 2, 3, 4, 5, 6});
  const Tensor w = Tensor::full({1, 2, 2, 1}, 1.0f);
  CHECK(conv2d(x, w).to_vector() == std::vector<float>{12, 16});
  CHECK(conv2d(x, w, {.stride = 2, .padding = 1}).to_vector() == std::vector<float>{1, 5, 4, 11});
}

TEST_CASE("conv2d and linear: refusals say what was found") {
  const Tensor x = Tensor::zeros({1, 2, 3, 4}), w = Tensor::zeros({5, 1, 1, 3});
  CHECK_THROWS_WITH_AS(conv2d(x, w), doctest::Contains("have 4 channels, filters {5,1,1,3} expect 3"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({5, 3, 3, 4})), doctest::Contains("larger than the images"),
                       std::invalid_argument);
  CHECK_THROWS_AS(conv2d(Tensor::zeros({2, 3}), w), std::invalid_argument);
  CHECK_THROWS_AS(conv2d(x, Tensor::zeros({5, 1, 1, 4}), {.stride = 0}), std::invalid_argument);
  CHECK_THROWS_AS(linear(Tensor::zeros({2, 3}), Tensor::zeros({4, 5})), std::invalid_argument);
  const Tensor one = Tensor::zeros({5, 1, 1, 4});
  constexpr int64_t kFar = int64_t{1} << 62;
  CHECK_THROWS_WITH_AS(conv2d(x, one, {.padding = kFar}), doctest::Contains("at most 2^30"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(conv2d(x, one, {.stride = kFar}), doctest::Contains("at most 2^30"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(conv2d(x, one, {.padding = kFar >> 32}), doctest::Contains("more than 2^60 products"),
                       std::invalid_argument);
  for (const int64_t groups : {0, 2, 4}) {
    CHECK_THROWS_WITH_AS(
        conv2d(x, one, {.groups = groups}),
        doctest::Contains("for 4 channels and 5 filters: no kernel has groups yet; only groups = 1 is possible"),
        WrongCall);
  }
}

TEST_CASE("batch_norm: two rows become -1 and 1, statistics move a tenth of the way") {
  const Tensor x = Tensor::from({2, 2}, {1, 10, 3, 30});
  BatchNormArgs args{Tensor::from({2}, {1, 2}), Tensor::from({2}, {0, 5}), Tensor::zeros({2}), Tensor::full({2}, 1)};
  args.eps = 0;
  CHECK(batch_norm(x, args).to_vector() == std::vector<float>{-1, 3, 1, 7});
  CHECK(args.running_mean.to_vector() == std::vector<float>{0.2f, 2.0f});
  CHECK(args.running_var.f32()[0] == doctest::Approx(0.9 + 0.1 * 2));    // unbiased: 2
  CHECK(args.running_var.f32()[1] == doctest::Approx(0.9 + 0.1 * 200));  // unbiased: 200
  args.relu = true;
  args.residual = Tensor::from({2, 2}, {0.5f, 0, 0, -8});
  CHECK(batch_norm(x, args).to_vector() == std::vector<float>{0, 3, 1, 0});
  CHECK_THROWS_WITH_AS(batch_norm(x.rows(0, 1), {args.gamma, args.beta, args.running_mean, args.running_var}),
                       doctest::Contains("more than one value"), std::invalid_argument);
}

TEST_CASE("batch_norm: a large mean does not spoil the variance") {
  const int64_t rows = 4096;
  Tensor x = Tensor::empty({rows, 1});
  for (int64_t i = 0; i < rows; ++i) x.f32()[i] = 10000.0f + (i % 2 ? 0.5f : -0.5f);
  BatchNormArgs args{Tensor::full({1}, 1), Tensor::zeros({1}), Tensor::zeros({1}), Tensor::zeros({1})};
  args.momentum = 1;
  batch_norm(x, args);
  CHECK(args.running_var.item() == doctest::Approx(0.25 * 4096 / 4095).epsilon(1e-4));
}

TEST_CASE("batch_norm: a variance beyond float32 is not a number, not an output of beta") {
  const Tensor x = Tensor::from({2, 1}, {1e30f, -1e30f});
  BatchNormArgs args{Tensor::full({1}, 1), Tensor::full({1}, 3), Tensor::zeros({1}), Tensor::full({1}, 1)};
  CHECK(std::isnan(batch_norm(x, args).f32()[0]));
  CHECK(std::isinf(args.running_var.item()));
  args.training = false;
  CHECK(std::isnan(batch_norm(x, args).f32()[1]));
}

TEST_CASE("pooling: maxima, averages, padding that never counts") {
  const Tensor x = Tensor::from({1, 2, 2, 1}, {-1, -2, -3, -4});
  CHECK(max_pool2d(x, {.kernel = 2, .stride = 2}).to_vector() == std::vector<float>{-1});
  CHECK(max_pool2d(x, {.kernel = 2, .stride = 2, .padding = 1}).to_vector() == std::vector<float>{-1, -2, -3, -4});
  CHECK(avg_pool2d(x, {.kernel = 2, .stride = 2}).to_vector() == std::vector<float>{-2.5f});
  CHECK(avg_pool2d(x, {.kernel = 2, .stride = 2, .padding = 1}).to_vector() == std::vector<float>{-1, -2, -3, -4});
  CHECK(global_avg_pool(x).to_vector() == std::vector<float>{-2.5f});
  CHECK_THROWS_AS(max_pool2d(x, {.kernel = 3, .stride = 1}), std::invalid_argument);
}

TEST_CASE("softmax cross entropy: uniform logits cost ln(classes); labels are checked") {
  const std::vector<int32_t> values{1, 3};
  const Tensor labels = Tensor::from({2}, std::span<const int32_t>(values));
  CHECK(softmax_cross_entropy(Tensor::zeros({2, 4}), labels).item() == doctest::Approx(std::log(4.0)));
  CHECK(softmax_cross_entropy(Tensor::zeros({2, 4}), labels, 0.3f).item() == doctest::Approx(std::log(4.0)));
  // Loss of a certain and right answer is 0, also for logits beyond exp's range.
  const Tensor sure = Tensor::from({2, 4}, {0, 1000, 0, 0, 0, 0, 0, 1000});
  CHECK(softmax_cross_entropy(sure, labels).item() == doctest::Approx(0.0));
  CHECK_THROWS_WITH_AS(softmax_cross_entropy(Tensor::zeros({2, 3}), labels),
                       doctest::Contains("label 3 of sample 1 is outside of [0, 3)"), std::invalid_argument);
  CHECK_THROWS_AS(softmax_cross_entropy(Tensor::zeros({2, 4}), labels, 1.0f), std::invalid_argument);
}

TEST_CASE("count_correct: rows whose label is among the k highest logits") {
  const auto correct = [](const Tensor& logits, const std::vector<int32_t>& labels, int64_t top) {
    const Tensor wanted = Tensor::from({logits.size(0)}, std::span<const int32_t>(labels));
    return count_correct(logits, wanted, top).item<int64_t>();
  };
  const Tensor logits = Tensor::from({3, 3}, {3, 2, 1, 1, 2, 3, 1, 3, 2});
  CHECK(correct(logits, {0, 0, 2}, 1) == 1);
  CHECK(correct(logits, {0, 0, 2}, 2) == 2);
  CHECK(correct(logits, {0, 0, 2}, 5) == 3);
  // Of equal logits the first class wins, and what is not a number never does.
  CHECK(correct(Tensor::full({2, 4}, 0.5f), {0, 3}, 1) == 1);
  CHECK(correct(Tensor::full({1, 2}, NAN), {0}, 1) == 0);
  CHECK(correct(Tensor::from({1, 2}, {1, NAN}), {0}, 1) == 0);
  CHECK_THROWS_AS(correct(logits, {0, 3, 0}, 1), std::invalid_argument);
  CHECK_THROWS_AS(correct(logits, {0, 0, 2}, 0), std::invalid_argument);
}

TEST_CASE("option A shortcut: every second pixel, zero channels around") {
  const Tensor x = Tensor::from({1, 2, 2, 1}, {1, 2, 3, 4});
  CHECK(subsample_pad_channels(x, 2, 1).to_vector() == std::vector<float>{0, 1, 0});
  CHECK(sum(x).item() == 10);
  CHECK(mean(x).item() == 2.5f);
}
