#pragma once
// Work on many files, where most of the time is spent waiting for the file system.
#include <cstdint>
#include <functional>

namespace ntq {

/// Calls `work(i)` for i in [0, count) on several threads, and `done(i)` on the calling one, in order, as soon as all
/// up to i are done. The first exception of either ends it and comes out.
void in_parallel(int64_t count, const std::function<void(int64_t)>& work, const std::function<void(int64_t)>& done);

}  // namespace ntq
