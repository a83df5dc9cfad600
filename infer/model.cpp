#include "infer/model.h"

#include "base/check.h"
#include "infer/ntqi.h"
#include "infer/plan.h"
#include "infer/workspace.h"

namespace ntq::infer {

Model Model::load(const std::string& path) { return Model(read_ntqi(path), path); }
Model Model::parse(std::string_view bytes, const std::string& name) { return Model(parse_ntqi(bytes, name), name); }
Model::Model(Graph graph, const std::string& name, const std::string& isa)
    : plan_(std::make_shared<const Plan>(make_plan(std::move(graph), name, isa))) {}

MapShape Model::image() const { return plan_->graph.image; }
int64_t Model::classes() const { return plan_->shapes.back().channels; }
const Graph& Model::graph() const { return plan_->graph; }
const std::vector<MapShape>& Model::shapes() const { return plan_->shapes; }
const std::vector<float>& Model::normalised_bytes() const { return plan_->byte_tables; }

// Layers are steps in the order of their nodes.
std::vector<Sums> Model::sums() const {
  std::vector<Sums> layers;
  for (const Step& step : plan_->steps) {
    if (const auto* layer = std::get_if<IntegerLayer>(&step.work))
      layers.push_back(layer->packed.winograd ? Sums::winograd : Sums::direct);
    if (std::holds_alternative<FloatLayer>(step.work)) layers.push_back(Sums::floats);
  }
  std::vector<Sums> out;
  auto next = layers.begin();
  for (const Node& node : plan_->graph.nodes) out.push_back(node.has_weights() ? *next++ : Sums::none);
  return out;
}

void Model::run(const uint8_t* images, int64_t count, float* logits, Workspace& work) const {
  check(work.memory_->plan == plan_, "run: the workspace is of another model");
  work.memory_->run({images, nullptr, count}, logits);
}

void Model::run(const float* images, int64_t count, float* logits, Workspace& work) const {
  check(work.memory_->plan == plan_, "run: the workspace is of another model");
  work.memory_->run({nullptr, images, count}, logits);
}

}  // namespace ntq::infer
