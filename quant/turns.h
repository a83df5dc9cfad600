#pragma once
// How often codes turn back: what oscillation means in Nagel et al. (arXiv 2203.11086, Eq. 4).
#include <algorithm>
#include <cstddef>
#include <span>

namespace ntq {

/// One look at the codes `now` of some weights: o = 1 where a code changes against the direction of its last change,
/// and f <- m o + (1 - m) f, its frequency. `last` codes, their `direction`s (-1, 0 before any change, 1) and the
/// frequencies are carried from look to look; before the first one `last` is `now`, all else 0.
template <class Code, class Direction>
void follow_turns(std::span<const Code> now, std::span<Code> last, std::span<Direction> direction,
                  std::span<float> frequency, float momentum) {
  for (float& f : frequency) f *= 1 - momentum;
  constexpr size_t kBlock = 64;  // few codes change in a step
  for (size_t begin = 0; begin < now.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, now.size());
    if (std::equal(now.data() + begin, now.data() + end, last.data() + begin)) continue;
    for (size_t i = begin; i < end; ++i) {
      if (now[i] == last[i]) continue;
      const auto towards = static_cast<Direction>(now[i] > last[i] ? 1 : -1);
      if (towards == -direction[i]) frequency[i] += momentum;
      direction[i] = towards;
      last[i] = now[i];
    }
  }
}

}  // namespace ntq
