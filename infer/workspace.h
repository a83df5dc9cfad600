#pragma once
// What a run writes to, and the run itself: images level by level, spread over threads. Internal to model.h.
#include <vector>

#include "infer/model.h"
#include "infer/plan.h"

namespace ntq::infer {

/// Images of a call, bytes or floats.
struct CallImages {
  const uint8_t* bytes;
  const float* floats;
  int64_t count;
};

struct Workspace::Memory {
  std::shared_ptr<const Plan> plan;
  ParallelFor parallel;
  /// Of each thread that takes whole images, those of all levels; their `first` changes in a run.
  std::vector<std::vector<StepMemory::Arena>> arenas;
  std::vector<uint8_t*> scratch;  ///< of each thread
  integer::AlignedBytes bytes;    ///< what these lie in

  Memory(std::shared_ptr<const Plan> plan, int64_t batch, ParallelFor parallel);
  void run(const CallImages& images, float* logits);

 private:
  struct Range;
  void run_level(Range& range, int level, int64_t first, int64_t end);
  void run_steps(Range& range, const std::vector<Step>& steps, size_t begin, size_t end, const StepMemory& memory);
  void run_range(const CallImages& images, int64_t begin, int64_t end, float* logits, size_t thread, int64_t sharing);
};

}  // namespace ntq::infer
