#include "analyze/histograms.h"

#include <doctest/doctest.h>

#include <numeric>

#include "models/model.h"
#include "tests/analyze/losses.h"
#include "train/calibrate.h"

using namespace ntq;
using namespace ntq::test;
using doctest::Approx;

TEST_CASE("ratio of signal and quantization error, in dB") {
  CHECK(sqnr_db(1 + 4 + 0.25, 0.25) == Approx(13.222).epsilon(1e-4));
  CHECK(std::isinf(sqnr_db(1, 0)));
}

TEST_CASE("histogram of a layer: bins, error, clipped share, grid") {
  // 2 bits, step 0.5: -1, -0.5, 0, 0.5; -2 and 1.5 lie beyond the ends.
  WeightsAlone network({-2, -0.5f, 0.1f, 1.5f}, {.method = "lsq", .bits = 2});
  network.fix_step(0.5f);
  DataLoader loader = loader_of(1);
  const Histograms found = histograms(network, loader);
  REQUIRE(found.layers.size() == 1);
  const LayerHistogram& layer = found.layers[0];
  CHECK(layer.low == -2);
  CHECK(layer.high == 1.5);
  CHECK(layer.counts.front() == 1);
  CHECK(layer.counts.back() == 1);
  CHECK(layer.counts[static_cast<size_t>(kHistogramBins * 1.5 / 3.5)] == 1);
  CHECK(std::accumulate(layer.counts.begin(), layer.counts.end(), int64_t{0}) == 4);
  CHECK(layer.clipped == 0.5);
  CHECK(layer.error == Approx((1 + 0 + 0.1 + 1) / 4));
  CHECK(layer.levels == std::vector<double>{-1, -0.5, 0, 0.5});
  CHECK(layer.at_level == std::vector<int64_t>{1, 1, 1, 1});
  CHECK(layer.sqnr == Approx(10 * std::log10((4 + 0.25 + 0.01 + 2.25) / (1 + 0.01 + 1))));
  // What the layer gives are its weights.
  CHECK(layer.output_sqnr.value() == Approx(layer.sqnr));
}

TEST_CASE("histograms: steps per channel and tables of levels, full precision, the ratio of each layer's output") {
  ModelOptions options;
  options.weight = {.method = "lsq", .bits = 3, .per_channel = true};
  options.bits_of["fc"] = {.weight = 32};
  const auto model = make_model("resnet20", options);
  DataLoader loader = loader_of(2, 2);
  calibrate_steps(*model, loader, 1);
  const Histograms found = histograms(*model, loader);
  CHECK(found.images == 4);
  REQUIRE(found.layers.size() == 20);
  CHECK(found.layers[0].levels.empty());
  CHECK(found.layers[0].clipped > 0);
  CHECK(found.layers[0].clipped < 0.2);
  CHECK(found.layers[0].output_sqnr.value() > found.layers[18].output_sqnr.value());  // errors add up
  CHECK(found.layers[19].name == "fc");
  CHECK(found.layers[19].bits == 32);
  CHECK(found.layers[19].levels.empty());

  const auto floats = make_model("resnet20", {});
  DataLoader none = loader_of(1);
  const Histograms plain = histograms(*floats, none);
  CHECK(plain.images == 0);
  CHECK_FALSE(plain.layers[3].output_sqnr);
}
