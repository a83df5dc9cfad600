#include "infer/model.h"

#include <algorithm>

#include "base/ceil_div.h"
#include "base/check.h"
#include "infer/ntqi.h"
#include "infer/plan.h"

namespace ntq::infer {

/// An arena for each thread that takes whole images, and scratch for each.
struct Workspace::Memory {
  std::shared_ptr<const Plan> plan;
  ParallelFor parallel;
  int64_t images;  ///< that each arena has room for
  int64_t arena, scratch;
  integer::AlignedBytes bytes;
  int64_t arenas() const { return (static_cast<int64_t>(bytes.size()) - threads() * scratch) / arena; }
  int64_t threads() const { return parallel.threads; }
  uint8_t* arena_of(int64_t thread) const { return bytes.data() + threads() * scratch + thread * arena; }
  uint8_t* scratch_of(int64_t thread) const { return bytes.data() + thread * scratch; }
};

namespace {

/// Images of a call, bytes or floats.
struct Images {
  const uint8_t* bytes;
  const float* floats;
  int64_t count;
};

/// The caller's threads, or this one.
void for_each_task(const ParallelFor& parallel, int64_t tasks, const std::function<void(int)>& task) {
  if (tasks > 1 && parallel.run) return parallel.run(static_cast<int>(tasks), task);
  for (int t = 0; t < static_cast<int>(tasks); ++t) task(t);
}

/// Calls each(step) for all steps in turn.
template <class Each>
void for_each_step(const Plan& plan, bool bytes, const Each& each) {
  for (const Step& step : bytes ? plan.from_bytes : plan.from_floats) each(step);
  for (const Step& step : plan.steps) each(step);
}

StepMemory memory_of(const Plan& plan, const Images& images, int64_t first, int64_t count, uint8_t* arena,
                     int64_t capacity) {
  const int64_t skipped = first * plan.graph.image.size();
  return {.arena = arena,
          .capacity = capacity,
          .bytes = images.bytes == nullptr ? nullptr : images.bytes + skipped,
          .floats = images.floats == nullptr ? nullptr : images.floats + skipped,
          .images = count};
}

void take_logits(const Plan& plan, const StepMemory& memory, float* logits) {
  const int64_t classes = plan.shapes.back().channels, stored = stored_channels(classes);
  const int64_t offset = plan.buffers[static_cast<size_t>(plan.logits)].offset * memory.capacity;
  const auto* from = reinterpret_cast<const float*>(memory.arena + offset);
  for (int64_t i = 0; i < memory.images; ++i) std::copy_n(from + i * stored, classes, logits + i * classes);
}

}  // namespace

Workspace::Workspace(const Model& model, int64_t batch, ParallelFor parallel) {
  check(batch >= 1 && parallel.threads >= 1 && parallel.threads <= 4096,
        "workspace: expected a batch and 1 to 4096 threads, found ", batch, " and ", parallel.threads);
  const Plan& plan = *model.plan_;
  const int64_t threads = parallel.threads, whole = std::min(threads, batch);  // threads with images of their own
  const int64_t images = std::min(plan.images, ceil_div(batch, whole));
  const int64_t arena = plan.arena * images, scratch = round_up(plan.scratch, 64);
  memory_ =
      std::make_unique<Memory>(Memory{model.plan_, std::move(parallel), images, arena, scratch,
                                      integer::AlignedBytes(static_cast<size_t>(threads * scratch + whole * arena))});
}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;
int64_t Workspace::bytes() const { return static_cast<int64_t>(memory_->bytes.size()); }

Model Model::load(const std::string& path) { return Model(read_ntqi(path), path); }
Model Model::parse(std::string_view bytes, const std::string& name) { return Model(parse_ntqi(bytes, name), name); }
Model::Model(Graph graph, const std::string& name)
    : plan_(std::make_shared<const Plan>(make_plan(std::move(graph), name))) {}

MapShape Model::image() const { return plan_->graph.image; }
int64_t Model::classes() const { return plan_->shapes.back().channels; }
const Graph& Model::graph() const { return plan_->graph; }
const std::vector<MapShape>& Model::shapes() const { return plan_->shapes; }
const std::vector<float>& Model::normalised_bytes() const { return plan_->byte_tables; }

namespace {

/// `count` images one pass after the other, each step shared by `threads`.
template <class Memory>
void run_range(const Memory& m, const Images& images, int64_t begin, int64_t end, float* logits, int64_t arena,
               int64_t threads) {
  const Plan& plan = *m.plan;
  for (int64_t first = begin; first < end; first += m.images) {
    const StepMemory memory =
        memory_of(plan, images, first, std::min(m.images, end - first), m.arena_of(arena), m.images);
    for_each_step(plan, images.bytes != nullptr, [&](const Step& step) {
      if (threads == 1) return run_step(plan, step, memory, m.scratch_of(arena), 0, 1);
      for_each_task(m.parallel, threads, [&](int t) { run_step(plan, step, memory, m.scratch_of(t), t, threads); });
    });
    take_logits(plan, memory, logits + first * plan.shapes.back().channels);
  }
}

/// Threads take whole images where there is one for each, else they share each step.
template <class Memory>
void run_images(const Memory& m, const Images& images, float* logits) {
  const int64_t threads = m.threads();
  if (threads == 1 || m.arenas() < threads || images.count < threads)
    return run_range(m, images, 0, images.count, logits, 0, threads);
  for_each_task(m.parallel, threads, [&](int t) {
    run_range(m, images, images.count * t / threads, images.count * (t + 1) / threads, logits, t, 1);
  });
}

template <class Memory>
void check_call(const Memory& m, const Plan& plan, const void* images, int64_t count, const float* logits) {
  check(m.plan.get() == &plan, "run: the workspace is of another model");
  check(count >= 0 && (count == 0 || (images != nullptr && logits != nullptr)), "run: ", count,
        " images need memory for images and logits");
}

}  // namespace

void Model::run(const uint8_t* images, int64_t count, float* logits, Workspace& work) const {
  check_call(*work.memory_, *plan_, images, count, logits);
  run_images(*work.memory_, {images, nullptr, count}, logits);
}

void Model::run(const float* images, int64_t count, float* logits, Workspace& work) const {
  check_call(*work.memory_, *plan_, images, count, logits);
  run_images(*work.memory_, {nullptr, images, count}, logits);
}

}  // namespace ntq::infer
