#pragma once
// What a run writes to, and the run itself: images level by level, spread over threads. Internal to model.h.
#include <vector>

#include "infer/model.h"
#include "infer/plan.h"
#include "infer/team.h"

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
  /// Of each thread those of all levels; their `first` changes in a run. Threads beyond the images of a batch have none
  /// of their own.
  std::vector<std::vector<StepMemory::Arena>> arenas;
  std::vector<std::vector<StepMemory::Arena>> shared;  ///< the first thread's, as each thread that shares steps sees it
  std::vector<uint8_t*> scratch;                       ///< of each thread
  integer::AlignedBytes bytes;                         ///< what these lie in
  Team team;

  Memory(std::shared_ptr<const Plan> plan, int64_t batch, ParallelFor parallel);
  void run(const CallImages& images, float* logits);

 private:
  class Pass;
};

}  // namespace ntq::infer
