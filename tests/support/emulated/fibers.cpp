#include "tests/support/emulated/fibers.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>

// swapcontext() asks the kernel for the signal mask each time, at ten times the price of all the rest.
#ifdef __x86_64__
asm(R"(
.text
.type ntq_switch_stack, @function
ntq_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ntq_switch_stack, .-ntq_switch_stack
)");
extern "C" void ntq_switch_stack(void** from, void** to);
#endif

namespace ntq::emulated {
namespace {

constexpr size_t kStack = size_t{64} << 10;

thread_local Fibers* running = nullptr;

#ifdef __x86_64__

/// Where a stack of execution was left.
struct Place {
  void* top = nullptr;
  void begin_at(char* stack, void (*function)()) {
    auto* const words = reinterpret_cast<void**>(stack + kStack) - 8;  // six registers, where to return to, alignment
    words[6] = reinterpret_cast<void*>(function);
    top = words;
  }
  static void go(Place& from, Place& to) { ntq_switch_stack(&from.top, &to.top); }
};

#else

struct Place {
  ucontext_t context;
  void begin_at(char* stack, void (*function)()) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = kStack;
    context.uc_link = nullptr;
    makecontext(&context, function, 0);
  }
  static void go(Place& from, Place& to) { swapcontext(&from.context, &to.context); }
};

#endif

}  // namespace

struct Fibers::Fiber {
  Place place;
  char* stack = nullptr;
  unsigned index = 0;
  bool waits = false;
  ~Fiber() { munmap(stack, kStack); }
};

struct Fibers::Host {
  Place place;
};

Fibers::Fibers() : host_(std::make_unique<Host>()) {}
Fibers::~Fibers() = default;

void Fibers::first_call() {
  Fibers& all = *running;
  Fiber& self = *all.current_;
  all.body_(all.data_, self.index);
  self.waits = false;
  Place::go(self.place, all.host_->place);
  std::abort();  // nobody goes on with what has ended
}

void Fibers::start(Fiber& fiber) {
  if (!fiber.stack) {
    void* const stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) std::abort();
    fiber.stack = static_cast<char*>(stack);
  }
  fiber.place.begin_at(fiber.stack, first_call);
}

bool Fibers::run(unsigned count, bool backwards, Body body, void* data) {
  while (fibers_.size() < count) fibers_.push_back(std::make_unique<Fiber>());
  body_ = body;
  data_ = data;
  for (unsigned i = 0; i < count; ++i) {
    fibers_[i]->index = i;
    start(*fibers_[i]);
  }
  running = this;
  unsigned waiting = 0;
  do {  // from one wait() to the next
    waiting = 0;
    for (unsigned turn = 0; turn < count; ++turn) {
      current_ = fibers_[backwards ? count - 1 - turn : turn].get();
      Place::go(host_->place, current_->place);
      waiting += current_->waits ? 1 : 0;
    }
  } while (waiting == count);
  running = nullptr;
  return waiting == 0;
}

bool Fibers::wait() {
  if (!running) return false;
  Fiber& self = *running->current_;
  self.waits = true;
  Place::go(self.place, running->host_->place);
  return true;
}

}  // namespace ntq::emulated
