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
    : plan(std::move(of)), parallel(std::move(threads)), team(parallel.run ? parallel.threads : 1) {
  const auto whole = static_cast<size_t>(std::min<int64_t>(team.members(), batch));
  const int64_t images = ceil_div(batch, static_cast<int64_t>(whole)), scratch_bytes = round_up(plan->scratch, 64);
  int64_t size = 0;
  for (const Level& level : plan->levels) size += level.arena * std::min(level.images, images);
  bytes =
      integer::AlignedBytes(whole * static_cast<size_t>(size) + static_cast<size_t>(team.members() * scratch_bytes));
  uint8_t* next = bytes.data();
  arenas.resize(whole);
  for (auto& of_thread : arenas) {
    for (const Level& level : plan->levels) {
      of_thread.push_back({next, std::min(level.images, images), 0});
      next += level.arena * of_thread.back().capacity;
    }
  }
  shared.assign(static_cast<size_t>(team.members()), arenas[0]);
  for (int t = 0; t < team.members(); ++t, next += scratch_bytes) scratch.push_back(next);
}

/// One thread's way through all levels for images of a call: alone, or with the team.
class Workspace::Memory::Pass {
 public:
  Pass(Memory& memory, const CallImages& images, float* logits, int thread, Team* team)
      : memory_(memory),
        plan_(*memory.plan),
        images_(images),
        logits_(logits),
        scratch_(memory.scratch[static_cast<size_t>(thread)]),
        arenas_((team != nullptr ? memory.shared : memory.arenas)[static_cast<size_t>(thread)]),
        thread_(thread),
        team_(team) {}

  void run(int64_t begin, int64_t end) {
    const int last = static_cast<int>(plan_.levels.size()) - 1;
    const int64_t images = arenas_.back().capacity;
    for (int64_t i = begin; i < end; i += images) run_level(last, i, std::min(i + images, end));
  }

 private:
  void run_level(int level, int64_t first, int64_t end) {
    arenas_[static_cast<size_t>(level)].first = first;
    if (level > 0) {
      const int64_t images = arenas_[static_cast<size_t>(level - 1)].capacity;
      for (int64_t i = first; i < end; i += images) run_level(level - 1, i, std::min(i + images, end));
    }
    const StepMemory memory{.arenas = arenas_.data(),
                            .bytes = images_.bytes,
                            .floats = images_.floats,
                            .first = first,
                            .images = end - first};
    const Level& steps = plan_.levels[static_cast<size_t>(level)];
    const std::vector<Step>& image = images_.bytes != nullptr ? plan_.from_bytes : plan_.from_floats;
    if (level == 0) run_steps(image, 0, image.size(), memory);
    run_steps(plan_.steps, static_cast<size_t>(std::max(steps.begin - 1, 0)), static_cast<size_t>(steps.end - 1),
              memory);
    if (level + 1 == static_cast<int>(plan_.levels.size()))
      share([&](int i) {
        if (i == 0) give_logits(memory);
      });
  }

  void run_steps(const std::vector<Step>& steps, size_t begin, size_t end, const StepMemory& memory) {
    const int count = team_ != nullptr ? team_->members() : 1;
    for (size_t s = begin; s < end; ++s) share([&](int i) { run_step(plan_, steps[s], memory, scratch_, i, count); });
  }

  /// work(share) for this thread's shares of what comes next.
  template <class Work>
  void share(const Work& work) {
    if (team_ == nullptr) {
      work(0);
    } else {
      team_->share(++number_, thread_, work);
    }
  }

  void give_logits(const StepMemory& memory) const {
    const int64_t classes = plan_.shapes.back().channels, stored = stored_channels(classes);
    const auto* from = reinterpret_cast<const float*>(buffer_of(plan_, memory, plan_.logits));
    float* to = logits_ + memory.first * classes;
    for (int64_t i = 0; i < memory.images; ++i, from += stored, to += classes) std::copy_n(from, classes, to);
  }

  Memory& memory_;
  const Plan& plan_;
  const CallImages& images_;
  float* logits_;
  uint8_t* scratch_;
  std::vector<StepMemory::Arena>& arenas_;
  int thread_;
  Team* team_;
  int64_t number_ = 0;  ///< of the team's steps
};

// Threads take whole images where there is one for each, else they share each step.
void Workspace::Memory::run(const CallImages& images, float* logits) {
  const int64_t count = images.count, threads = team.members();
  const bool given = (images.bytes != nullptr || images.floats != nullptr) && logits != nullptr;
  check(count >= 0 && (count == 0 || given), "run: ", count, " images need memory for images and logits");
  if (threads == 1) return Pass(*this, images, logits, 0, nullptr).run(0, count);
  const bool whole = count >= threads && static_cast<int64_t>(arenas.size()) == threads;
  team.reset();
  parallel.run(static_cast<int>(threads), [&](int t) {
    if (whole) {
      Pass(*this, images, logits, t, nullptr).run(count * t / threads, count * (t + 1) / threads);
    } else {
      Pass(*this, images, logits, t, &team).run(0, count);
    }
  });
}

}  // namespace ntq::infer
