#include "engine/autograd.h"

#include <atomic>
#include <queue>
#include <unordered_map>
#include <utility>

#include "engine/backend/registry.h"
#include "engine/op_watch.h"

namespace ntq {
namespace {

thread_local bool recording = true;
std::atomic<uint64_t> next_id{1};
thread_local const OpWatch* op_watch = nullptr;

using Gradients = std::unordered_map<const Node*, Tensor>;
thread_local const Gradients* reached = nullptr;  // of the backward pass that runs

/// Makes them those of the pass; one may run within another's.
struct Pass {
  explicit Pass(const Gradients& gradients) : before(std::exchange(reached, &gradients)) {}
  ~Pass() { reached = before; }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  const Gradients* before;
};

/// sum += grad, in place where nobody else sees the memory.
void accumulate(Tensor& sum, const Tensor& grad) {
  if (!sum) {
    sum = grad;
    return;
  }
  Backend& backend = backend_for(sum.device());
  if (sum.unique()) {
    backend.axpy(1.0f, grad.view(), sum.view());
  } else {
    Tensor total = Tensor::empty(sum.shape(), sum.dtype(), sum.device());
    backend.binary(Binary::add, sum.view(), grad.view(), total.view());
    sum = total;
  }
}

void accumulate_leaf(Tensor leaf, const Tensor& grad) {
  Tensor sum = leaf.grad();
  leaf.zero_grad();  // leaves `sum` as the only handle
  accumulate(sum, grad);
  leaf.set_grad(sum);
}

}  // namespace

Node::~Node() {
  // A long chain would be destroyed by recursion; take it apart in a loop.
  std::vector<std::shared_ptr<Node>> chain;
  const auto take = [&chain](Node& node) {
    node.backward = nullptr;
    for (Tensor& input : node.inputs) {
      if (!input || !input.node() || input.node().use_count() > 1) continue;
      chain.push_back(input.node());
    }
    node.inputs.clear();
  };
  take(*this);
  while (!chain.empty()) {
    const std::shared_ptr<Node> node = std::move(chain.back());
    chain.pop_back();
    if (node.use_count() == 1) take(*node);
  }
}

bool has_gradient(const Node& node) { return reached && reached->contains(&node); }

const OpWatch* set_op_watch(const OpWatch* watch) { return std::exchange(op_watch, watch); }

bool grad_enabled() { return recording; }

WithGrad::WithGrad() : before_(recording) { recording = true; }
WithGrad::~WithGrad() { recording = before_; }

NoGrad::NoGrad() : before_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = before_; }

bool needs_record(std::initializer_list<Tensor> inputs) {
  if (!recording) return false;
  for (const Tensor& input : inputs) {
    if (input.requires_grad()) return true;
  }
  return false;
}

Tensor record(const OpInfo& op, Tensor output, std::vector<Tensor> inputs, BackwardFn backward) {
  note_op(op, output, inputs);
  if (op_watch) op_watch->forward(op.name, inputs);
  bool needed = false;
  for (const Tensor& input : inputs) needed = needed || input.requires_grad();
  if (!recording || !needed) return output;
  auto node = std::make_shared<Node>();
  node->id = next_id++;
  node->op = op.name;
  for (const Tensor& input : inputs) node->inputs.push_back(input.for_graph());
  node->backward = std::move(backward);
  output.set_node(std::move(node));
  return output;
}

Tensor custom_grad(const OpInfo& op, std::vector<Tensor> inputs, const std::function<Tensor()>& forward,
                   BackwardFn backward) {
  Tensor output;
  {
    const NoGrad off;
    const GraphPause pause;
    output = forward().detach();
  }
  return record(op, std::move(output), std::move(inputs), std::move(backward));
}

void backward(const Tensor& output, const Tensor& grad_output) {
  check(output.requires_grad(), "backward: nothing that was recorded leads here; does any input require a gradient?");
  check(grad_output.shape() == output.shape() && grad_output.dtype() == output.dtype(),
        "backward: expected a gradient of ", dtype_name(output.dtype()), " ", output.shape(), ", found ",
        dtype_name(grad_output.dtype()), " ", grad_output.shape());
  NoGrad off;
  if (!output.node()) {
    accumulate_leaf(output, grad_output);
    return;
  }
  const auto older = [](const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) { return a->id < b->id; };
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, decltype(older)> ready(older);
  Gradients grads;
  const Pass pass(grads);
  ready.push(output.node());
  grads[output.node().get()] = grad_output;

  while (!ready.empty()) {
    const std::shared_ptr<Node> node = ready.top();
    ready.pop();
    const auto entry = grads.find(node.get());
    const Tensor grad = std::move(entry->second);
    grads.erase(entry);
    check(node->backward != nullptr, "backward: this graph has been used already; run the forward pass again");
    const BackwardFn closure = std::exchange(node->backward, nullptr);
    const std::vector<Tensor> inputs = std::exchange(node->inputs, {});
    if (op_watch) op_watch->gradient_begins(node->op, inputs);
    std::vector<Tensor> input_grads = closure(grad);
    if (op_watch) op_watch->gradient_ends();
    check(input_grads.size() == inputs.size(), "backward: an op with ", inputs.size(), " inputs gave ",
          input_grads.size(), " gradients");
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& input = inputs[i];
      if (!input.requires_grad() || !input_grads[i]) continue;
      const Tensor input_grad = std::move(input_grads[i]);
      const bool codes = input.dtype() == DType::i8 || input.dtype() == DType::u8;  // of which values' gradient it is
      check(input_grad.shape() == input.shape() && (codes || input_grad.dtype() == input.dtype()),
            "backward: gradient ", i, " of an op is ", dtype_name(input_grad.dtype()), " ", input_grad.shape(),
            ", expected ", dtype_name(input.dtype()), " ", input.shape());
      if (!input.node()) {
        accumulate_leaf(input, input_grad);
        continue;
      }
      const auto [slot, first] = grads.try_emplace(input.node().get());
      if (first) ready.push(input.node());
      accumulate(slot->second, input_grad);
    }
  }
}

}  // namespace ntq
