#pragma once
// Equal runs of elements cut into parts, one for a block, by the sizes alone; what the blocks find is joined in order.
#include "base/ceil_div.h"
#include "engine/backend/cuda/kernels/block.h"
#include "engine/backend/cuda/kernels/pack.h"

namespace ntq::cuda {

constexpr unsigned kPartThreads = 256;
constexpr int64_t kMostParts = 1056;  // eight for each multiprocessor of an H100

struct RunParts {
  int64_t runs = 1, run = 0;  ///< elements of a run
  int64_t part = 4;           ///< elements of a block; the last part of a run may be shorter
  unsigned parts = 1;         ///< of a run
  unsigned blocks() const { return static_cast<unsigned>(runs) * parts; }
};

/// runs >= 1.
inline RunParts run_parts(int64_t size, int64_t runs = 1) {
  constexpr int64_t kTogether = 4 * int64_t{kPartThreads}, kLeast = 2 * kTogether;
  const int64_t run = size / runs;
  const int64_t most = kMostParts / runs > 0 ? kMostParts / runs : 1, wanted = ceil_div(run > 0 ? run : 1, kLeast);
  const int64_t part = round_up(ceil_div(run > 0 ? run : 1, wanted < most ? wanted : most), kTogether);
  return {runs, run, part, static_cast<unsigned>(ceil_div(run > 0 ? run : 1, part))};
}

/// Elements begin to end of a run, for the block of which this is a thread.
struct PartPlace {
  int64_t run, begin, end;
  unsigned part;
};
NTQ_DEVICE PartPlace place_of(const Thread& thread, const RunParts& p) {
  const unsigned part = thread.block() % p.parts;
  const int64_t run = thread.block() / p.parts, begin = part * p.part, end = begin + p.part;
  return {run, run * p.run + begin, run * p.run + (end < p.run ? end : p.run), part};
}

/// Calls each(i, count) for this thread's packs, `count` elements from i on.
template <class Each>
NTQ_DEVICE void each_pack(const Thread& thread, const PartPlace& at, const Each& each) {
  for (int64_t i = at.begin + 4 * int64_t{thread.index()}; i < at.end; i += 4 * int64_t{thread.threads()})
    each(i, at.end - i < 4 ? static_cast<int>(at.end - i) : 4);
}

/// Calls each(pack, first element, count) for the packs of n elements.
template <class Each>
NTQ_DEVICE void each_pack_of(const Thread& thread, int64_t n, const Each& each) {
  each_index(thread, ceil_div(n, int64_t{4}), [&](int64_t pack) {
    const int64_t i = 4 * pack;
    each(pack, i, n - i < 4 ? static_cast<int>(n - i) : 4);
  });
}

}  // namespace ntq::cuda
