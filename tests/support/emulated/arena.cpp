#include "tests/support/emulated/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace ntq::emulated {

constexpr size_t kHuge = size_t{2} << 20;  // a page of that size is one entry to change where small ones are 512

static size_t whole_pages(size_t bytes) { return (bytes + kHuge - 1) / kHuge * kHuge; }

Arena::Arena(size_t bytes) : size_(bytes), mapped_(whole_pages(bytes) + kHuge) {
  map_ = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map_ == MAP_FAILED) std::abort();
  base_ = reinterpret_cast<char*>(whole_pages(reinterpret_cast<uintptr_t>(map_)));
  madvise(base_, whole_pages(bytes), MADV_HUGEPAGE);  // where the system has none, small pages do
}

Arena::~Arena() { munmap(map_, mapped_); }

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

void Arena::open() { mprotect(base_, whole_pages(touched_), PROT_READ | PROT_WRITE); }
void Arena::close() {
  mprotect(base_, whole_pages(touched_), PROT_NONE);
  touched_ = 0;
  for (const auto& block : blocks_) touched_ = std::max(touched_, block.second);
}

}  // namespace ntq::emulated
