#pragma once
// Memory that the host cannot reach but while the emulated device computes: any other access ends in a fault. What the
// device itself reads behind its last block is within a page of 2 MiB: the address sanitizer and the guards behind
// blocks find that, not a fault.
#include <cstddef>
#include <map>

namespace ntq::emulated {

class Arena {
 public:
  explicit Arena(size_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Null where no gap is large enough.
  void* allocate(size_t bytes);
  void release(void* memory);
  size_t size() const { return size_; }
  void open();
  void close();

 private:
  char* base_;
  size_t size_;
  void* map_;  // what base_ begins in, aligned
  size_t mapped_;
  size_t touched_ = 0;               // what work in the queue may touch ends here
  std::map<size_t, size_t> blocks_;  // begin -> end of those in use
};

}  // namespace ntq::emulated
