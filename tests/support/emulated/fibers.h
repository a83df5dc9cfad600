#pragma once
// The threads of a block: fibers that take turns on one thread of the host.
#include <memory>
#include <vector>

namespace ntq::emulated {

class Fibers {
 public:
  Fibers();
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  using Body = void (*)(void* data, unsigned index);
  /// Calls body(data, i) for each i below `count`, or backwards from there, each on a stack of its own. Within, wait()
  /// returns when all of them have called it. False: some have ended while others wait.
  bool run(unsigned count, bool backwards, Body body, void* data);
  /// False where no body of run() is the caller.
  static bool wait();

 private:
  struct Fiber;
  void start(Fiber& fiber);
  static void first_call();

  std::vector<std::unique_ptr<Fiber>> fibers_;
  Body body_ = nullptr;
  void* data_ = nullptr;
  Fiber* current_ = nullptr;
  struct Host;
  std::unique_ptr<Host> host_;
};

}  // namespace ntq::emulated
