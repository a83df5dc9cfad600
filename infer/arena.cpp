#include <algorithm>
#include <numeric>

#include "base/ceil_div.h"
#include "infer/plan.h"

namespace ntq::infer {

// Largest first, each at the lowest place that is free for all of its time.
int64_t place_buffers(std::vector<Buffer>& buffers) {
  constexpr int64_t kLine = 64;
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<const Buffer*> placed;  // by offset
  int64_t size = 0;
  for (const size_t i : order) {
    Buffer& b = buffers[i];
    const int64_t bytes = round_up(b.bytes, kLine);
    b.offset = 0;
    for (const Buffer* other : placed) {
      if (other->last < b.first || b.last < other->first) continue;
      if (b.offset + bytes <= other->offset) break;
      b.offset = std::max(b.offset, other->offset + round_up(other->bytes, kLine));
    }
    size = std::max(size, b.offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), &b,
                                   [](const Buffer* x, const Buffer* y) { return x->offset < y->offset; }),
                  &b);
  }
  return size;
}

}  // namespace ntq::infer
