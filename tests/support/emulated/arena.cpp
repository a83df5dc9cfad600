#include "tests/support/emulated/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace ntq::emulated {

Arena::Arena(size_t bytes)
    : base_(static_cast<char*>(mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))), size_(bytes) {
  if (base_ == MAP_FAILED) std::abort();
}

Arena::~Arena() { munmap(base_, size_); }

void* Arena::allocate(size_t bytes) {
  constexpr size_t kAlignment = 256;
  const size_t need = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  size_t begin = 0;
  for (const auto& [used_begin, used_end] : blocks_) {
    if (used_begin - begin >= need) break;
    begin = used_end;
  }
  if (need > size_ || begin > size_ - need) return nullptr;
  blocks_[begin] = begin + need;
  touched_ = std::max(touched_, begin + need);
  return base_ + begin;
}

void Arena::release(void* memory) { blocks_.erase(static_cast<size_t>(static_cast<char*>(memory) - base_)); }

void Arena::open() { mprotect(base_, touched_, PROT_READ | PROT_WRITE); }
void Arena::close() {
  mprotect(base_, touched_, PROT_NONE);
  touched_ = 0;
  for (const auto& block : blocks_) touched_ = std::max(touched_, block.second);
}

}  // namespace ntq::emulated
