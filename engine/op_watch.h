#pragma once
// Whoever wants to know which ops run: a profile, say. Costs a comparison per op where nobody does.
#include <functional>
#include <vector>

#include "engine/tensor.h"

namespace ntq {

/// What is told of each op of a thread.
struct OpWatch {
  using Told = std::function<void(const char* op, const std::vector<Tensor>& inputs)>;
  Told forward;          ///< behind the op; one that is made of others comes behind them; ops of gradients too
  Told gradient_begins;  ///< before its gradient is computed
  std::function<void()> gradient_ends;
};

/// From now on the ops of this thread are told to `watch`, which the caller keeps; null: to nobody. Gives who it was.
const OpWatch* set_op_watch(const OpWatch* watch);

}  // namespace ntq
