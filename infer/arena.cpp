#include <algorithm>
#include <array>
#include <numeric>

#include "base/ceil_div.h"
#include "infer/plan.h"

namespace ntq::infer {
namespace {

constexpr int64_t kLine = 64;
constexpr int kImageChoices = 6;  ///< 1, 2, 4 .. 32 images
/// A core's own cache, and its part of the one that cores share, about.
constexpr int64_t kCache = 1 << 20, kSharedCache = 4 << 20;

int64_t weight_bytes(const Step& step) {
  if (const auto* layer = std::get_if<IntegerLayer>(&step.work))
    return static_cast<int64_t>(layer->packed.weights.size());
  if (const auto* layer = std::get_if<FloatLayer>(&step.work))
    return static_cast<int64_t>(layer->weights.size() * sizeof(float));
  return 0;
}

/// Bytes of an image that a step reads and writes.
int64_t value_bytes(const Plan& plan, const Step& step) {
  int64_t bytes = 0;
  for (const int b : {step.x, step.skip, step.y, step.codes}) {
    if (b != kNoBuffer) bytes += plan.buffers[static_cast<size_t>(b)].bytes;
  }
  return bytes;
}

/// Bytes of an image that are alive at each step.
std::vector<int64_t> alive(const Plan& plan) {
  std::vector<int64_t> bytes(plan.steps.size() + 2);
  for (const Buffer& b : plan.buffers) {
    bytes[static_cast<size_t>(b.first)] += b.bytes;
    bytes[static_cast<size_t>(b.last) + 1] -= b.bytes;
  }
  std::partial_sum(bytes.begin(), bytes.end(), bytes.begin());
  return bytes;
}

/// How many images are best at each step: a power of two, never less than before. What comes from beyond the core's own
/// cache is counted, in bytes for each image: weights once for all images of a pass, values where those of all images
/// do not fit, four times where they do not even fit the shared cache.
std::vector<int64_t> images_at_steps(const Plan& plan) {
  const std::vector<int64_t> bytes = alive(plan);
  const auto cost = [&](size_t t, int choice) {
    if (t == 0) return 0.0;
    const Step& step = plan.steps[t - 1];
    const int64_t images = int64_t{1} << choice, kept = images * bytes[t];
    const double values = kept <= kCache ? 0 : kept <= kSharedCache ? 1 : 4;
    return static_cast<double>(weight_bytes(step)) / static_cast<double>(images) +
           values * static_cast<double>(value_bytes(plan, step));
  };
  // best[c]: of the steps from t on, when t has at least choice c.
  struct Best {
    double cost = 0;
    int choice = 0;
  };
  using Row = std::array<Best, kImageChoices>;
  std::vector<Row> best(plan.steps.size() + 2);
  for (size_t t = plan.steps.size() + 1; t-- > 0;) {
    for (int c = kImageChoices - 1; c >= 0; --c) {
      Best& b = best[t][static_cast<size_t>(c)];
      b = {cost(t, c) + best[t + 1][static_cast<size_t>(c)].cost, c};
      if (c + 1 < kImageChoices && best[t][static_cast<size_t>(c + 1)].cost < b.cost)
        b = best[t][static_cast<size_t>(c + 1)];
    }
  }
  std::vector<int64_t> images;
  int choice = 0;
  for (size_t t = 0; t <= plan.steps.size(); ++t) {
    choice = best[t][static_cast<size_t>(choice)].choice;
    images.push_back(int64_t{1} << choice);
  }
  return images;
}

/// A level is a run of steps with the same number of images.
std::vector<Level> levels_of(const Plan& plan) {
  std::vector<Level> levels;
  int t = 0;
  for (const int64_t images : images_at_steps(plan)) {
    if (levels.empty() || levels.back().images != images) levels.push_back({t, t, images});
    levels.back().end = ++t;
  }
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
