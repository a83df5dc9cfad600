#pragma once
// The optimizers' updates (SgdUpdate and AdamUpdate of backend/args.h) out of elementary ops.
#include "engine/backend/args.h"
#include "engine/ops/binary.h"
#include "engine/ops/unary.h"

namespace ntq::test {

/// max(w, floor), but where w is not finite.
inline Tensor floored(const Tensor& w, float floor) { return where(equal(sub(w, w), 0.0f), max(w, floor), w); }

/// What was above 0 between that times `factor` and that share of it, but where w is not finite.
inline Tensor held_near(const Tensor& before, const Tensor& w, float factor) {
  if (factor > 3e38f) return w;
  const Tensor near = max(min(w, scale(before, factor)), div(before, factor));
  return where(less(0.0f, before), where(equal(sub(w, w), 0.0f), near, w), w);
}

inline void sgd_twin(const SgdUpdate& u, Tensor w, const Tensor& g, Tensor m) {
  const Tensor decayed = add(g, scale(w, u.weight_decay));
  m.copy_from(add(scale(m, u.momentum), decayed));
  const Tensor direction = u.nesterov ? add(decayed, scale(m, u.momentum)) : m;
  const Tensor moved = sub(w, scale(direction, u.lr)), near = held_near(w, moved, u.most_change);
  const Tensor held = mul(equal(sub(moved, moved), 0.0f), sub(1.0f, equal(near, moved)));
  m.copy_from(where(held, div(sub(w, near), u.lr), m));
  w.copy_from(floored(near, u.floor));
}

inline void adam_twin(const AdamUpdate& u, Tensor w, const Tensor& g, Tensor m, Tensor v) {
  const Tensor decayed = u.decoupled ? g : add(g, scale(w, u.weight_decay));
  m.copy_from(add(scale(m, u.beta1), scale(decayed, 1 - u.beta1)));
  v.copy_from(add(scale(v, u.beta2), scale(square(decayed), 1 - u.beta2)));
  Tensor change = div(scale(m, u.lr), add(sqrt(scale(v, u.square_scale)), u.epsilon));
  if (u.decoupled) change = add(change, scale(w, u.decay_lr * u.weight_decay));
  w.copy_from(floored(held_near(w, sub(w, change), u.most_change), u.floor));
}

}  // namespace ntq::test
