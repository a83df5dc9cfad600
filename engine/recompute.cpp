#include "engine/recompute.h"

#include "engine/autograd.h"

namespace ntq {
namespace {

std::vector<Tensor> copies_of(const NamedTensors& tensors) {
  std::vector<Tensor> out;
  for (const auto& entry : tensors) out.push_back(entry.second.clone());
  return out;
}

void overwrite(NamedTensors tensors, const std::vector<Tensor>& values) {
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].second.copy_from(values[i]);
}

}  // namespace

Tensor recomputed(const std::shared_ptr<Module>& part, const Tensor& x) {
  std::vector<Tensor> inputs{x};  // and all that has a gradient, which the second run adds to
  for (const auto& entry : part->named_parameters()) inputs.push_back(entry.second);
  bool wanted = false;
  for (const Tensor& input : inputs) wanted = wanted || input.requires_grad();
  if (!wanted || !grad_enabled() || graph_is_recorded()) return part->forward(x);
  const std::vector<Tensor> before = copies_of(part->named_buffers());
  const Tensor y = part->forward(x).detach();
  return record({"recomputed"}, y, inputs,
                [part, x = x.detach(), want_x = x.requires_grad(), before, count = inputs.size()](const Tensor& dy) {
                  const NamedTensors buffers = part->named_buffers();
                  const std::vector<Tensor> after = copies_of(buffers);
                  overwrite(buffers, before);
                  Tensor again = x.detach();
                  again.set_requires_grad(want_x);
                  Tensor value;
                  {
                    const WithGrad on;
                    value = part->forward(again);
                  }
                  overwrite(buffers, after);
                  backward(value, dy);
                  std::vector<Tensor> gradients(count);
                  gradients[0] = again.grad();
                  return gradients;
                });
}

}  // namespace ntq
