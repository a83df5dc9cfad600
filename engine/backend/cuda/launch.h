#pragma once
// What kernels are written in, for two compilers: nvcc makes them kernels of a GPU, a C++ compiler functions that the
// emulated device (tests/support/emulated) calls for every thread of the same grid.
//
//   struct AddKernel {
//     struct Args { const float *a, *b; float* y; int64_t n; };  // plain, at most kMostArgs bytes
//     static constexpr bool kSyncs = false;                       // whether it calls thread.sync()
//     NTQ_DEVICE static void run(Thread& thread, const Args& args) {
//       each_index(thread, args.n, [&](int64_t i) { args.y[i] = args.a[i] + args.b[i]; });
//     }
//   };
//   stream.launch<AddKernel>(grid, {a, b, y, n});
//
// A body has what Thread offers and plain arithmetic, nothing else: no shuffles, no atomics, no word between blocks.
// All threads of a block pass the same calls of sync().
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <typeinfo>

#ifdef __CUDACC__
#define NTQ_DEVICE __device__ __forceinline__
#else
#define NTQ_DEVICE inline
#endif

namespace ntq::cuda {

constexpr unsigned kMostThreads = 256;    ///< of a block
constexpr size_t kMostShared = 48 << 10;  ///< bytes of a block
constexpr size_t kMostArgs = 4096;

struct Grid {
  unsigned blocks = 1, threads = kMostThreads;
  unsigned shared = 0;  ///< bytes of shared memory
};

#ifdef __CUDACC__

class Thread {
 public:
  NTQ_DEVICE unsigned index() const { return threadIdx.x; }
  NTQ_DEVICE unsigned threads() const { return blockDim.x; }
  NTQ_DEVICE unsigned block() const { return blockIdx.x; }
  NTQ_DEVICE unsigned blocks() const { return gridDim.x; }
  NTQ_DEVICE void sync() { __syncthreads(); }
  /// The block's memory, which holds nothing yet; aligned to 16 bytes.
  template <class T>
  NTQ_DEVICE T* shared() {
    extern __shared__ __align__(16) unsigned char shared_memory[];
    return reinterpret_cast<T*>(shared_memory);
  }
};

/// 16 bytes, to memory aligned to them, in one access: the compiler on its own splits it where loops are unrolled.
NTQ_DEVICE void store_whole(void* to, const void* from) {
  float4 all;
  __builtin_memcpy(&all, from, sizeof all);
  __stwb(static_cast<float4*>(to), all);
}

/// Room for two blocks' registers is asked for: left to itself, ptxas spills a few to make room for more blocks.
template <class Kernel>
__global__ void __launch_bounds__(kMostThreads, 2) entry(const typename Kernel::Args args) {
  Thread thread;
  Kernel::run(thread, args);
}

#else

class Thread {
 public:
  Thread(unsigned index, unsigned block, const Grid& grid, void* shared)
      : index_(index), block_(block), threads_(grid.threads), blocks_(grid.blocks), shared_(shared) {}
  unsigned index() const { return index_; }
  unsigned threads() const { return threads_; }
  unsigned block() const { return block_; }
  unsigned blocks() const { return blocks_; }
  void sync();  // of the emulated device
  template <class T>
  T* shared() {
    return static_cast<T*>(shared_);
  }

 private:
  unsigned index_, block_, threads_, blocks_;
  void* shared_;
};

inline void store_whole(void* to, const void* from) { __builtin_memcpy(to, from, 16); }

template <class Kernel>
void entry(Thread& thread, const void* args) {
  Kernel::run(thread, *static_cast<const typename Kernel::Args*>(args));
}

#endif

/// A kernel without its type, for Stream.
struct KernelEntry {
  const void* function;  ///< entry<Kernel>
  const char* name;      ///< as typeid has it
  size_t args_bytes;
  bool syncs;

  std::string words() const;  ///< the name for people: "ntq::cuda::AddKernel"
};

template <class Kernel>
KernelEntry entry_of() {
  using Args = typename Kernel::Args;
  static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) <= kMostArgs);
  return {reinterpret_cast<const void*>(&entry<Kernel>), typeid(Kernel).name(), sizeof(Args), Kernel::kSyncs};
}

/// Calls each(i) for this thread's share of [0, n), whatever the grid.
template <class Each>
NTQ_DEVICE void each_index(const Thread& thread, int64_t n, const Each& each) {
  const int64_t stride = int64_t{thread.blocks()} * thread.threads();
  for (int64_t i = int64_t{thread.block()} * thread.threads() + thread.index(); i < n; i += stride) each(i);
}

}  // namespace ntq::cuda
