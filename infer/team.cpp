#include "infer/team.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace ntq::infer {

void Team::wait_for(int64_t shares) const {
  constexpr int kSpins = 2000;
  int64_t done = done_.load(std::memory_order_acquire);
  for (int i = 0; done < shares; ++i, done = done_.load(std::memory_order_acquire)) {
    if (i >= kSpins) {
      done_.wait(done, std::memory_order_acquire);
      continue;
    }
#ifdef __x86_64__
    _mm_pause();
#endif
  }
}

}  // namespace ntq::infer
