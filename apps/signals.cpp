#include "apps/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "apps/watchdog.h"

namespace ntq::apps {
namespace {

// `timeout`, terminals that close and service managers send a signal twice, or two at once: that is one request.
constexpr int64_t kOneRequest = 200'000'000;  // ns

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU};

std::atomic<int> caught{0};
std::atomic<bool> progress_drawn{false}, json_owed{false}, ending{false};
std::atomic<int64_t> caught_at{0};

int64_t nanoseconds_now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// write(2) of what a handler has to say.
void tell(int file, const char* text) {
  if (write(file, text, std::strlen(text)) < 0) return;  // nobody is left to hear it
}

/// The object on stdout that --json promises, if it is still owed.
void answer_interrupted(int signal) {
  if (!json_owed.exchange(false)) return;
  char text[] = "{\"error\":\"interrupted\",\"exit_code\":000}\n";
  char* digit = std::strchr(text, '0');
  const int code = 128 + signal;
  digit[0] = static_cast<char>('0' + code / 100);
  digit[1] = static_cast<char>('0' + code / 10 % 10);
  digit[2] = static_cast<char>('0' + code % 10);
  tell(STDOUT_FILENO, text);
}

extern "C" void end_now(int signal) {
  while (ending.exchange(true)) pause();  // another thread is at it
  if (progress_drawn) tell(json_owed ? STDERR_FILENO : STDOUT_FILENO, "\r\033[K");
  tell(STDERR_FILENO, "interrupted\n");
  answer_interrupted(signal);
  _exit(128 + signal);
}

extern "C" void remember_signal(int signal) {
  // Two threads may be in here at once, each with a signal.
  const int64_t time = nanoseconds_now();
  int64_t first = 0;
  if (caught_at.compare_exchange_strong(first, time)) {
    caught = signal;
    wake_watchdog(signal);
  } else if (signal != SIGXCPU && time - first > kOneRequest) {  // XCPU comes again each second of computing
    answer_interrupted(signal);
    std::signal(signal, SIG_DFL);
    raise(signal);  // comes when this handler is left
  }
}

using Handler = void (*)(int);

volatile Handler on_interrupt = nullptr;

/// Of a job in the background of a script, which has INT ignored: Ctrl-C is for the others, kill -INT is for it.
extern "C" void only_if_sent(int signal, siginfo_t* info, void*) {
  if (info->si_code != SI_KERNEL) on_interrupt(signal);
}

void handle(int signal, Handler handler) {
  struct sigaction before = {}, action = {};
  sigaction(signal, nullptr, &before);
  const bool ignored = (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_IGN;
  if (signal == SIGHUP && ignored) return;  // nohup
  action.sa_flags = static_cast<int>(SA_RESTART);
  action.sa_handler = handler;
  if (signal == SIGINT) on_interrupt = handler;
  if (signal == SIGINT && (ignored || (before.sa_flags & SA_SIGINFO) != 0)) {
    action.sa_flags |= SA_SIGINFO;
    action.sa_sigaction = only_if_sent;
  }
  sigfillset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void end_on_signals(bool json) {
  json_owed = json;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : kStopSignals) handle(signal, end_now);
}

void stdout_is_in_use() { json_owed = false; }

void catch_stop_signals(Watchdog watchdog) {
  if (watchdog == Watchdog::on) start_watchdog(answer_interrupted);
  for (const int signal : kStopSignals) handle(signal, remember_signal);
}

int stop_signal() { return caught; }

void set_progress_drawn(bool drawn) { progress_drawn = drawn; }

}  // namespace ntq::apps
