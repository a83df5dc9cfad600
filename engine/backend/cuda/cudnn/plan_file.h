#pragma once
// A file of plans chosen by time: text, a line for each problem, for one GPU and one cuDNN.
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "engine/backend/cuda/cudnn/plan.h"

namespace ntq::cudnn {

/// Its first line is "ntq-cudnn-plans 1, NVIDIA H100 80GB HBM3, cuDNN 9.19.0", each other one
/// "forward float32 128 32 32 64 16 16 128 3 3 2 1 1: engine 70 knobs 2=4 18=0 # forward of ...": direction,
/// arithmetic, the sizes in the order of Problem::key(), and what stands for the reader. Of two lines of a problem the
/// first counts. Processes may share a file.
class PlanFile {
 public:
  struct Engine {
    int64_t number = -1;
    Knobs knobs;
    size_t line = 0;  ///< where it stands, from 1 on
  };

  /// Reads what there is; no file yet is none. Throws Error, with the line, for a file that is of another GPU or cuDNN,
  /// that cannot be read, or that has a line which is none.
  PlanFile(std::string path, std::string gpu, std::string cudnn);
  /// What the file has, else what `choose` gives, which is then in the file; none where that gives none. While it
  /// chooses, other processes that look for something new wait. Throws Error, as the constructor does.
  std::optional<Engine> find_or_add(const Problem& problem, const std::function<std::optional<Engine>()>& choose);
  /// "FILE, line 3".
  std::string where(const Engine& engine) const;

 private:
  void read(const std::string& text);
  std::string header() const;

  std::string path_, gpu_, cudnn_;
  std::map<Problem::Key, Engine> engines_;
};

}  // namespace ntq::cudnn
