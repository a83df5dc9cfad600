#pragma once
// The optimizers' updates (SgdUpdate and AdamUpdate of backend/args.h) out of elementary ops.
#include "engine/backend/args.h"
#include "engine/ops/binary.h"
#include "engine/ops/unary.h"

namespace ntq::test {

/// max(w, floor), but where w is not finite.
inline Tensor floored(const Tensor& w, float floor) { return where(equal(sub(w, w), 0.0f), max(w, floor), w); }

inline void sgd_twin(const SgdUpdate& u, Tensor w, const Tensor& g, Tensor m) {
  const Tensor decayed = add(g, scale(w, u.weight_decay));
  m.copy_from(add(scale(m, u.momentum), decayed));
  const Tensor direction = u.nesterov ? add(decayed, scale(m, u.momentum)) : m;
  w.copy_from(floored(sub(w, scale(direction, u.lr)), u.floor));
}

inline void adam_twin(const AdamUpdate& u, Tensor w, const Tensor& g, Tensor m, Tensor v) {
  const Tensor decayed = u.decoupled ? g : add(g, scale(w, u.weight_decay));
  m.copy_from(add(scale(m, u.beta1), scale(decayed, 1 - u.beta1)));
  v.copy_from(add(scale(v, u.beta2), scale(square(decayed), 1 - u.beta2)));
  Tensor change = div(scale(m, u.lr), add(sqrt(scale(v, u.square_scale)), u.epsilon));
  if (u.decoupled) change = add(change, scale(w, u.decay_lr * u.weight_decay));
  w.copy_from(floored(sub(w, change), u.floor));
}

}  // namespace ntq::test
