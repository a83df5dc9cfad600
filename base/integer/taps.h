#pragma once
// Which taps of a filter meet the input, along one axis. Everything is `static`: kernels of each instruction set have
// their own (see tests/house/kernel_symbols.cmake).
#include <stdint.h>

namespace ntq::integer {

/// One axis of a convolution or of pooling.
struct Axis {
  int64_t in, out, kernel, stride, pad;
};

/// Output positions [begin, end) whose taps [first, last) lie inside the input: their others lie outside.
struct TapRun {
  int64_t begin, end, first, last;
};

static inline int64_t first_tap(const Axis& a, int64_t at) {
  const int64_t tap = a.pad - at * a.stride;
  return tap < 0 ? 0 : tap < a.kernel ? tap : a.kernel;
}
static inline int64_t last_tap(const Axis& a, int64_t at) {
  const int64_t tap = a.in + a.pad - at * a.stride;
  return tap < 0 ? 0 : tap < a.kernel ? tap : a.kernel;
}

/// The run of positions that begins at `at`. Runs of an axis are numbered from 0 as they follow each other: with
/// padding 1 the first position is run 0, most are run 1.
static inline TapRun run_at(const Axis& a, int64_t at) {
  TapRun run = {at, at + 1, first_tap(a, at), last_tap(a, at)};
  while (run.end < a.out && first_tap(a, run.end) == run.first && last_tap(a, run.end) == run.last) ++run.end;
  return run;
}

static inline int64_t run_count(const Axis& a) {
  int64_t count = 0;
  for (int64_t at = 0; at < a.out; at = run_at(a, at).end) ++count;
  return count;
}

}  // namespace ntq::integer
