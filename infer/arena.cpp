#include <algorithm>

#include "base/ceil_div.h"
#include "infer/plan.h"

namespace ntq::infer {
namespace {

constexpr int64_t kLine = 64, kMostImages = 32;
/// A core's own cache, about: what values may take while weights pass through it.
constexpr int64_t kCache = 1 << 20;

/// Bytes of values that a step may have: as many as it reads of weights, so that neither is the larger traffic.
int64_t room_of(const Step& step) {
  int64_t weights = 0;
  if (const auto* layer = std::get_if<IntegerLayer>(&step.work))
    weights = static_cast<int64_t>(layer->packed.weights.size());
  if (const auto* layer = std::get_if<FloatLayer>(&step.work)) weights = static_cast<int64_t>(layer->weights.size());
  return std::max(kCache, weights);
}

/// Bytes of an image that are alive at each step.
std::vector<int64_t> alive(const Plan& plan) {
  std::vector<int64_t> bytes(plan.steps.size() + 1);
  for (const Buffer& b : plan.buffers) {
    for (int t = b.first; t <= b.last; ++t) bytes[static_cast<size_t>(t)] += b.bytes;
  }
  return bytes;
}

/// A level is a run of steps with the same number of images: a power of two, and never less than before.
std::vector<Level> levels_of(const Plan& plan) {
  const std::vector<int64_t> bytes = alive(plan);
  std::vector<Level> levels;  // last first
  int64_t images = kMostImages;
  for (int t = static_cast<int>(plan.steps.size()); t >= 0; --t) {
    const int64_t room = t == 0 ? kCache : room_of(plan.steps[static_cast<size_t>(t - 1)]);
    while (images > 1 && images * bytes[static_cast<size_t>(t)] > room) images /= 2;
    if (levels.empty() || levels.back().images != images) levels.push_back({t, t + 1, images});
    levels.back().begin = t;
  }
  std::reverse(levels.begin(), levels.end());
  return levels;
}

/// Largest first, each at the lowest place that is free for all of its time; the size of all.
int64_t place(std::vector<Buffer*> buffers) {
  std::stable_sort(buffers.begin(), buffers.end(),
                   [](const Buffer* a, const Buffer* b) { return a->bytes > b->bytes; });
  std::vector<const Buffer*> placed;  // by offset
  int64_t size = 0;
  for (Buffer* b : buffers) {
    const int64_t bytes = round_up(b->bytes, kLine);
    for (const Buffer* other : placed) {
      if (other->last < b->first || b->last < other->first) continue;
      if (b->offset + bytes <= other->offset) break;
      b->offset = std::max(b->offset, other->offset + round_up(other->bytes, kLine));
    }
    size = std::max(size, b->offset + bytes);
    const auto before = [](const Buffer* x, const Buffer* y) { return x->offset < y->offset; };
    placed.insert(std::upper_bound(placed.begin(), placed.end(), b, before), b);
  }
  return size;
}

}  // namespace

void place_buffers(Plan& plan) {
  plan.levels = levels_of(plan);
  for (size_t i = 0; i < plan.levels.size(); ++i) {
    Level& level = plan.levels[i];
    std::vector<Buffer*> own;
    for (Buffer& b : plan.buffers) {
      if (b.last < level.begin || b.last >= level.end) continue;
      b.level = static_cast<int>(i);
      b.first = std::max(b.first, level.begin - 1);  // earlier levels fill it while all of its images are kept
      own.push_back(&b);
    }
    level.arena = place(std::move(own));
  }
}

}  // namespace ntq::infer
