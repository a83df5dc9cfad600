#include "infer/workspace.h"

#include <algorithm>

#include "base/ceil_div.h"
#include "base/check.h"

namespace ntq::infer {

Workspace::Workspace(const Model& model, int64_t batch, ParallelFor parallel) {
  check(batch >= 1 && parallel.threads >= 1 && parallel.threads <= 4096,
        "workspace: expected a batch and 1 to 4096 threads, found ", batch, " and ", parallel.threads);
  memory_ = std::make_unique<Memory>(model.plan_, batch, std::move(parallel));
}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;
int64_t Workspace::bytes() const { return static_cast<int64_t>(memory_->bytes.size()); }

Workspace::Memory::Memory(std::shared_ptr<const Plan> of, int64_t batch, ParallelFor threads)
    : plan(std::move(of)), parallel(std::move(threads)) {
  const auto whole = static_cast<size_t>(std::min<int64_t>(parallel.threads, batch));
  const int64_t images = ceil_div(batch, static_cast<int64_t>(whole)), scratch_bytes = round_up(plan->scratch, 64);
  int64_t size = 0;
  for (const Level& level : plan->levels) size += level.arena * std::min(level.images, images);
  bytes =
      integer::AlignedBytes(whole * static_cast<size_t>(size) + static_cast<size_t>(parallel.threads * scratch_bytes));
  uint8_t* next = bytes.data();
  arenas.resize(whole);
  for (auto& of_thread : arenas) {
    for (const Level& level : plan->levels) {
      of_thread.push_back({next, std::min(level.images, images), 0});
      next += level.arena * of_thread.back().capacity;
    }
  }
  for (int t = 0; t < parallel.threads; ++t, next += scratch_bytes) scratch.push_back(next);
}

/// Images that one thread takes, or all.
struct Workspace::Memory::Range {
  const CallImages& images;
  float* logits;
  size_t thread;
  int64_t sharing;  ///< threads that share each step
  std::vector<StepMemory::Arena>& arenas;
};

void Workspace::Memory::run_steps(Range& range, const std::vector<Step>& steps, size_t begin, size_t end,
                                  const StepMemory& memory) {
  for (size_t i = begin; i < end; ++i) {
    if (range.sharing == 1) {
      run_step(*plan, steps[i], memory, scratch[range.thread], 0, 1);
      continue;
    }
    parallel.run(static_cast<int>(range.sharing),
                 [&](int t) { run_step(*plan, steps[i], memory, scratch[static_cast<size_t>(t)], t, range.sharing); });
  }
}

void Workspace::Memory::run_level(Range& range, int level, int64_t first, int64_t end) {
  range.arenas[static_cast<size_t>(level)].first = first;
  if (level > 0) {
    const int64_t images = range.arenas[static_cast<size_t>(level - 1)].capacity;
    for (int64_t i = first; i < end; i += images) run_level(range, level - 1, i, std::min(i + images, end));
  }
  const StepMemory memory{.arenas = range.arenas.data(),
                          .bytes = range.images.bytes,
                          .floats = range.images.floats,
                          .first = first,
                          .images = end - first};
  const Level& steps = plan->levels[static_cast<size_t>(level)];
  const std::vector<Step>& image = range.images.bytes != nullptr ? plan->from_bytes : plan->from_floats;
  if (level == 0) run_steps(range, image, 0, image.size(), memory);
  run_steps(range, plan->steps, static_cast<size_t>(std::max(steps.begin - 1, 0)), static_cast<size_t>(steps.end - 1),
            memory);
  if (level + 1 < static_cast<int>(plan->levels.size())) return;
  const int64_t classes = plan->shapes.back().channels, stored = stored_channels(classes);
  const auto* from = reinterpret_cast<const float*>(buffer_of(*plan, memory, plan->logits));
  for (int64_t i = first; i < end; ++i, from += stored) std::copy_n(from, classes, range.logits + i * classes);
}

void Workspace::Memory::run_range(const CallImages& images, int64_t begin, int64_t end, float* logits, size_t thread,
                                  int64_t sharing) {
  Range range{images, logits, thread, sharing, arenas[thread]};
  const int last = static_cast<int>(plan->levels.size()) - 1;
  const int64_t step = range.arenas.back().capacity;
  for (int64_t i = begin; i < end; i += step) run_level(range, last, i, std::min(i + step, end));
}

// Threads take whole images where there is one for each, else they share each step.
void Workspace::Memory::run(const CallImages& images, float* logits) {
  const int64_t count = images.count, threads = parallel.run ? parallel.threads : 1;
  const bool given = (images.bytes != nullptr || images.floats != nullptr) && logits != nullptr;
  check(count >= 0 && (count == 0 || given), "run: ", count, " images need memory for images and logits");
  if (threads == 1 || static_cast<int64_t>(arenas.size()) < threads || count < threads)
    return run_range(images, 0, count, logits, 0, threads);
  parallel.run(static_cast<int>(threads), [&](int t) {
    run_range(images, count * t / threads, count * (t + 1) / threads, logits, static_cast<size_t>(t), 1);
  });
}

}  // namespace ntq::infer
