// Frequencies of codes that turn back, against values by hand from arXiv 2203.11086, Eq. 4.
#include "quant/turns.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

using namespace ntq;

namespace {

/// What weights have come to that take `codes` one look after the other, each weight a row.
template <class Code>
struct Followed {
  std::vector<Code> last;
  std::vector<int8_t> direction;
  std::vector<float> frequency;

  explicit Followed(const std::vector<Code>& first) : last(first), direction(first.size()), frequency(first.size()) {}
  void see(const std::vector<Code>& now) { follow_turns<Code, int8_t>(now, last, direction, frequency, 0.01f); }
};

}  // namespace

TEST_CASE("turns: a code that goes back and forth, one that goes on, one that waits in between") {
  Followed<int8_t> seen({0, 0, 0});
  const std::vector<int8_t> codes[] = {{1, 1, 1}, {0, 2, 1}, {1, 3, 1}, {0, 4, 0}};
  const double expected[][3] = {{0, 0, 0}, {.01, 0, 0}, {.0199, 0, 0}, {.029701, 0, .01}};
  for (size_t look = 0; look < 4; ++look) {
    seen.see(codes[look]);
    for (size_t i = 0; i < 3; ++i) CHECK(seen.frequency[i] == doctest::Approx(expected[look][i]).epsilon(1e-6));
  }
  CHECK(seen.direction == std::vector<int8_t>{-1, 1, -1});
  CHECK(seen.last == std::vector<int8_t>{0, 4, 0});
  for (int look = 0; look < 69; ++look) seen.see({0, 4, 0});
  CHECK(seen.frequency[2] == doctest::Approx(.01 * std::pow(.99, 69)).epsilon(1e-5));
  CHECK(seen.frequency[2] < .005f);  // one turn counts for 68 looks
}

TEST_CASE("turns: unsigned codes compare as such, and weights beyond the first block are seen") {
  Followed<uint8_t> seen(std::vector<uint8_t>(150, 127));
  std::vector<uint8_t> other(150, 127);
  other[149] = 128;
  seen.see(other);
  CHECK(seen.direction[149] == 1);
  seen.see(std::vector<uint8_t>(150, 127));
  CHECK(seen.frequency[149] == .01f);
  CHECK(seen.frequency[148] == 0);
}
