#include "engine/ops/random.h"
#include "engine/ops/binary.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "engine/random.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "engine/backend/cpu_settings.h"
#include "engine/ops/binary.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "engine/ops/unary.h"
#include "engine/tensor.h"

using namespace ntq;

// Known answers published with Random123 (kat_vectors, philox4x32 10 rounds).
TEST_CASE("Philox4x32-10 gives the published vectors") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("streams, steps and seeds give different numbers; elements share blocks of four") {
  const RandomKey key{.seed = 7, .stream = stream_id("conv1.weight"), .step = 3};
  CHECK(random_bits(key, 6) == random_block(key, 1)[2]);
  CHECK(random_bits(key, 0) != random_bits({8, key.stream, key.step}, 0));
  CHECK(random_bits(key, 0) != random_bits({7, stream_id("conv2.weight"), key.step}, 0));
  CHECK(random_bits(key, 0) != random_bits({7, key.stream, 4}, 0));
  CHECK(stream_id("") == 2166136261u);   // FNV-1a's offset basis
  CHECK(stream_id("a") == 0xE40C292Cu);  // its published value for "a"
}

TEST_CASE("uniform draws stay in their range and cover it") {
  const RandomKey key{.seed = 1, .stream = 2, .step = 3};
  std::vector<int> hits(9);
  double mean = 0;
  for (uint64_t i = 0; i < 9000; ++i) {
    const uint32_t below = random_below(key, i, 9);
    REQUIRE(below < 9);
    ++hits[below];
    const float unit = random_unit(key, i);
    REQUIRE(unit >= 0.0f);
    REQUIRE(unit < 1.0f);
    mean += static_cast<double>(unit) / 9000;
  }
  for (const int count : hits) CHECK(std::abs(count - 1000) < 150);  // five deviations
  CHECK(mean == doctest::Approx(0.5).epsilon(0.02));
}

TEST_CASE("a name of its own for all that have none, counted by kind and seed") {
  constexpr uint64_t kSeed = 0x5eed, kOther = 0x5eee;  // of nobody else in this program
  CHECK(drawing_name("conv1", "layer", kSeed) == "conv1");
  CHECK(drawing_name("", "layer", kSeed).empty());
  CHECK(drawing_name("", "layer", kSeed) == "(layer 2 without a name)");
  CHECK(drawing_name("conv1", "layer", kSeed) == "conv1");
  CHECK(drawing_name("", "layer", kSeed) == "(layer 3 without a name)");
  CHECK(drawing_name("", "quantizer", kSeed).empty());
  CHECK(drawing_name("", "layer", kOther).empty());
}

TEST_CASE("uniform numbers: in (0, 1], of the right mean and spread, others for another key") {
  const RandomKey key{.seed = 1, .stream = 2, .step = 3};
  const Tensor u = uniform({20000}, key);
  CHECK(min(u).item() > 0);
  CHECK(max(u).item() <= 1);
  CHECK(mean(u).item() == doctest::Approx(0.5).epsilon(0.02));
  CHECK(mean(square(sub(u, 0.5f))).item() == doctest::Approx(1.0 / 12).epsilon(0.03));
  CHECK(uniform({20000}, key).to_vector() == u.to_vector());
  CHECK_FALSE(uniform({20000}, {.seed = 1, .stream = 2, .step = 4}).to_vector() == u.to_vector());
}
