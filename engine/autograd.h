#pragma once
// Eager reverse-mode differentiation. Each recorded op makes a Node with its inputs and a closure from the gradient of
// its output to the gradients of its inputs. Ids grow, so backward pops the largest first: no recursion, no sort.
#include <functional>
#include <memory>
#include <vector>

#include "engine/op_info.h"
#include "engine/tensor.h"

namespace ntq {

/// Gradient of the output -> one gradient per input; undefined where an input needs none.
using BackwardFn = std::function<std::vector<Tensor>(const Tensor& grad_output)>;

struct CodesGradient;  // ops/kept_codes.h

struct Node {
  uint64_t id = 0;
  const char* op = "";
  std::vector<Tensor> inputs;  // for_graph(): values are kept by `backward` alone
  BackwardFn backward;         // empty once used
  /// Of an op that computes the gradient of a quantizer behind it in one pass with its own: where that leaves it.
  std::shared_ptr<CodesGradient> codes;
  Node() = default;
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
};

/// True when gradients are recorded in this thread (the default).
bool grad_enabled();

/// Turns recording on for its lifetime: within a backward pass, which records nothing of itself.
class WithGrad {
 public:
  WithGrad();
  ~WithGrad();
  WithGrad(const WithGrad&) = delete;
  WithGrad& operator=(const WithGrad&) = delete;

 private:
  bool before_;
};

/// Turns recording off for its lifetime: evaluation, optimizer updates.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// True when recording is on and one of the inputs requires a gradient.
bool needs_record(std::initializer_list<Tensor> inputs);

/// Attaches `backward` to `output`, which then requires a gradient; returns it unchanged when needs_record is false.
/// Undefined inputs are allowed (their gradients are ignored), and so are inputs without a gradient, which a graph of
/// the forward pass has to show. Throws std::invalid_argument for an op without a name.
Tensor record(const OpInfo& op, Tensor output, std::vector<Tensor> inputs, BackwardFn backward);

/// An op with a gradient of one's own, for estimators such as straight-through: `forward` runs unrecorded, `backward`
/// gets the output gradient. custom_grad({"my_round"}, {x}, [&] { return round(x); }, [](const Tensor& g) { return {g};
/// })
Tensor custom_grad(const OpInfo& op, std::vector<Tensor> inputs, const std::function<Tensor()>& forward,
                   BackwardFn backward);

/// Runs the graph behind `output` from `grad_output`. Leaves accumulate into grad(). A gradient has the shape and the
/// type of its tensor, in each op too: throws std::invalid_argument for another.
void backward(const Tensor& output, const Tensor& grad_output);

/// Within backward(): whether a gradient has reached `node`, which will therefore run.
bool has_gradient(const Node& node);

}  // namespace ntq
