#pragma once
// Threads that go through the same steps together, without a start and an end of threads for each. Internal to infer.
#include <atomic>
#include <cstdint>
#include <vector>

namespace ntq::infer {

/// Every member calls share() for the same steps 1, 2, 3 ... A step has one share for each member; whoever comes to one
/// first does it, its own before others: a member that is late, or is run after the others, finds nothing left, and
/// nobody waits for a thread that has not begun.
class Team {
 public:
  explicit Team(int members) : claimed_(static_cast<size_t>(members)) {}
  int members() const { return static_cast<int>(claimed_.size()); }

  /// Before a run; no member is at work.
  void reset() {
    done_.store(0, std::memory_order_relaxed);
    for (Claim& c : claimed_) c.step.store(0, std::memory_order_relaxed);
  }

  /// Calls work(share) for what `member` gets of step `number`, and returns when all of the step is done.
  template <class Work>
  void share(int64_t number, int member, const Work& work) {
    for (int i = 0; i < members(); ++i) {
      const int share = (member + i) % members();
      int64_t before = number - 1;
      if (!claimed_[static_cast<size_t>(share)].step.compare_exchange_strong(before, number)) continue;
      work(share);
      if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == number * members()) done_.notify_all();
    }
    wait_for(number * members());
  }

 private:
  struct alignas(64) Claim {
    std::atomic<int64_t> step = 0;  ///< the last that somebody took this share of
  };

  /// Spins for some ten microseconds, as steps are that short, then sleeps.
  void wait_for(int64_t shares) const;

  alignas(64) std::atomic<int64_t> done_ = 0;  ///< shares, of all steps
  std::vector<Claim> claimed_;
};

}  // namespace ntq::infer
