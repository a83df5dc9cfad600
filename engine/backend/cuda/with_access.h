#pragma once
// Which of a kernel's two ways to memory a call takes (kernels/pack.h), and grids of tiles.
#include <type_traits>

#include "engine/backend/cuda/kernels/tiles.h"
#include "engine/backend/view.h"

namespace ntq::cuda {

/// Whether every view, but those that are none, is aligned to packs.
template <class... Views>
bool aligned(const Views&... views) {
  return ((reinterpret_cast<uintptr_t>(views.data) | ...) & 15) == 0;
}

/// with(access), a constant.
template <class With>
void with_access(bool whole, const With& with) {
  if (whole) return with(std::integral_constant<Access, Access::whole>());
  with(std::integral_constant<Access, Access::single>());
}

inline Grid grid_of(const RowTiles& tiles, unsigned shared = 0) { return {tiles.blocks(), kTileThreads, shared}; }

}  // namespace ntq::cuda
