#pragma once
// A deploy graph made ready to run: on one core or on the caller's threads, without anything of training.
//
//   const auto model = ntq::infer::Model::load("model.ntqi");
//   ntq::infer::Workspace work(model, 32);
//   model.run(images, 32, logits, work);
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "infer/graph.h"

namespace ntq::infer {

struct Plan;
class Workspace;

/// The caller's threads. run(tasks, task) calls task(0) ... task(tasks - 1), at most `threads` at the same time, and
/// returns when all are done. It is called once in a run; tasks that wait for each other's results spin for some ten
/// microseconds before they sleep, and none waits for one that was not begun.
struct ParallelFor {
  int threads = 1;
  std::function<void(int tasks, const std::function<void(int)>& task)> run = {};  ///< empty: one after the other
};

/// What a node's sums are computed by.
enum class Sums { none, floats, direct, winograd };

/// Immutable; may be run by any number of threads, each with its own workspace. Copies share all.
class Model {
 public:
  /// Of a `.ntqi` file. Throws CheckpointError in one line.
  static Model load(const std::string& path);
  static Model parse(std::string_view bytes, const std::string& name);
  /// Checks the graph (check_graph); `name` stands for a file in errors. `isa`: of base/isa.h, for integers; empty: the
  /// one for this process. Throws DeviceError for one that this processor lacks.
  explicit Model(Graph graph, const std::string& name = "graph", const std::string& isa = "");

  MapShape image() const;
  int64_t classes() const;
  /// All but the weights' codes and values, which are kept as the kernels want them.
  const Graph& graph() const;
  /// Of each node's output.
  const std::vector<MapShape>& shapes() const;
  /// Of each node.
  std::vector<Sums> sums() const;

  /// Logits {count, classes} of images NHWC: bytes, normalised inside as graph().preprocessing says, or floats,
  /// normalised. The same bits for any count, batch, threads and instruction set. The workspace has to be of this
  /// model.
  void run(const uint8_t* images, int64_t count, float* logits, Workspace& work) const;
  void run(const float* images, int64_t count, float* logits, Workspace& work) const;

  /// What normalising does to each byte: {channels, 256}.
  const std::vector<float>& normalised_bytes() const;

 private:
  friend class Workspace;
  std::shared_ptr<const Plan> plan_;
};

/// The memory of a run, allocated here and nowhere else. One per thread that calls run().
class Workspace {
 public:
  /// `batch`: images to be expected in a call; more are taken in turn. The work is spread over `parallel`.
  explicit Workspace(const Model& model, int64_t batch = 1, ParallelFor parallel = {});
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  int64_t bytes() const;

 private:
  friend class Model;
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace ntq::infer
