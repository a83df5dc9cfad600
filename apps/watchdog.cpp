#include "apps/watchdog.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace ntq::apps {
namespace {

constexpr double kTick = 0.25;         // seconds between two looks
constexpr double kLeast = 0.02;        // of one core: less is a process that waits
constexpr int64_t kLeastBytes = 4096;  // between two looks; reading the counters is less
constexpr double kLong = 30;

sem_t asked;
std::atomic<bool> watching{false};
double short_wait = 4;
void (*say_at_end)(int) = nullptr;
std::atomic<int> reason{0}, slow_writes{0};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Bytes that the process has read and written so far, from any kind of file; 0 where that is not told.
int64_t bytes_moved() {
  char text[512] = {};
  const int file = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t got = read(file, text, sizeof text - 1);
  close(file);
  int64_t sum = 0;
  for (const char* name : {"rchar: ", "wchar: "}) {
    const char* at = got > 0 ? std::strstr(text, name) : nullptr;
    if (at != nullptr) sum += std::atoll(at + std::strlen(name));
  }
  return sum;
}

[[noreturn]] void end_process(int signal) {
  char text[160];
  const int length =
      std::snprintf(text, sizeof text,
                    "\nended by signal %d: it waited for a file or a disk that does not answer; --resume "
                    "goes on from the last save\n",
                    signal);
  if (write(STDERR_FILENO, text, static_cast<size_t>(length)) >= 0 && say_at_end != nullptr) say_at_end(signal);
  _exit(128 + signal);
}

void* watch(void*) {
  while (sem_wait(&asked) != 0) {
  }
  double idle = 0, cpu = cpu_seconds();
  int64_t bytes = bytes_moved();
  for (;;) {
    const timespec tick{0, static_cast<long>(kTick * 1e9)};
    nanosleep(&tick, nullptr);  // while the process is stopped (Ctrl-Z) no ticks pass
    const double cpu_now = cpu_seconds();
    const int64_t bytes_now = bytes_moved();
    const bool works = cpu_now - cpu > kLeast * kTick || bytes_now - bytes > kLeastBytes;
    idle = works ? 0 : idle + kTick;
    cpu = cpu_now, bytes = bytes_now;
    if (idle >= (slow_writes > 0 ? kLong : short_wait)) end_process(reason);
  }
}

}  // namespace

void start_watchdog(void (*say)(int signal), double seconds) {
  if (watching || sem_init(&asked, 0, 0) != 0) return;
  short_wait = seconds;
  say_at_end = say;
  // Signals are for the other threads; a small stack, for nothing may be allocated here.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t how;
  pthread_attr_init(&how);
  pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&how, std::max<size_t>(static_cast<size_t>(sysconf(_SC_THREAD_STACK_MIN)), 64 << 10));
  pthread_t thread{};
  watching = pthread_create(&thread, &how, watch, nullptr) == 0;
  pthread_attr_destroy(&how);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void wake_watchdog(int signal) {
  reason = signal;
  if (watching) sem_post(&asked);
}

SlowWrite::SlowWrite() { ++slow_writes; }
SlowWrite::~SlowWrite() { --slow_writes; }

}  // namespace ntq::apps
