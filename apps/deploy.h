#pragma once
// Networks of checkpoints as deploy graphs, and such graphs for people and programs.
#include <string>

#include <nlohmann/json_fwd.hpp>
#include "apps/checkpoint.h"
#include "export/lower.h"

namespace ntq::apps {

/// What the network of a checkpoint is given and what its outputs mean.
struct ImageRecord {
  Preprocessing preprocessing;
  std::vector<std::string> classes;  ///< names in label order
};
/// As the file says; where it is of an older release, as its data set does, which has to be there then.
ImageRecord image_record(const RunCheckpoint& checkpoint, const std::string& path, Console& console);

/// `model` (of the checkpoint; the average of its weights or not) lowered, with all that a file of it says: its top-1
/// too, where that was measured with these weights. Throws CannotDeploy.
Lowered deploy(const RunCheckpoint& checkpoint, Module& model, const ImageRecord& record, bool average);

/// The recipe by which the data set of a graph is opened: what its notes and its preprocessing say, with a model that
/// is none of its own. The data set is "" where the graph does not name it.
TrainConfig data_recipe(const infer::Graph& graph);

/// A file that can be run.
struct Network {
  infer::Graph graph;
  std::shared_ptr<Module> trained = {};  ///< of a checkpoint: what it was lowered from
};
/// What the file's images have to look like, for open_network().
enum class Images { as_trained, of_that_size };
/// A `.ntqi`, or a checkpoint (its average where there is one) lowered. Images::as_trained: the graph says how images
/// are prepared, by image_record() with `data_dir`; of_that_size: their size is all that is needed.
Network open_network(const std::string& path, Images images, const std::optional<std::string>& data_dir,
                     Console& console);

/// "model", "image", "classes", ... and the notes, as (name, value).
std::vector<std::pair<std::string, std::string>> describe_graph(const infer::Graph& graph);
/// A line for each node: what it gives, its weights, its input's codes, what it adds.
std::string node_table(const infer::Graph& graph);
nlohmann::ordered_json nodes_to_json(const infer::Graph& graph);

}  // namespace ntq::apps
