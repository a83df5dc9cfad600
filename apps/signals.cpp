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

volatile std::sig_atomic_t caught = 0, progress_drawn = 0, json_owed = 0;
std::atomic<int64_t> caught_at{0};

int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// write(2) of what a handler has to say.
void tell(int file, const char* text) {
  if (write(file, text, std::strlen(text)) < 0) return;  // nobody is left to hear it
}

extern "C" void end_now(int signal) {
  if (progress_drawn != 0) tell(json_owed != 0 ? STDERR_FILENO : STDOUT_FILENO, "\r\033[K");
  tell(STDERR_FILENO, "interrupted\n");
  if (json_owed != 0) {
    tell(STDOUT_FILENO, signal == SIGINT    ? "{\"error\":\"interrupted\",\"exit_code\":130}\n"
                        : signal == SIGTERM ? "{\"error\":\"interrupted\",\"exit_code\":143}\n"
                                            : "{\"error\":\"interrupted\",\"exit_code\":129}\n");
  }
  _exit(128 + signal);
}

extern "C" void remember_signal(int signal) {
  if (caught == 0) {
    caught = signal;
    caught_at = now();
    wake_watchdog(signal);
  } else if (signal != SIGXCPU && now() - caught_at > kOneRequest) {  // XCPU comes again each second of computing
    std::signal(signal, SIG_DFL);
    raise(signal);  // comes when this handler is left
  }
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction before = {}, action = {};
  sigaction(signal, nullptr, &before);
  // nohup and shells say so for jobs that shall live on.
  if ((signal == SIGHUP || signal == SIGINT) && before.sa_handler == SIG_IGN) return;
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESTART);
  sigfillset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void end_on_signals(bool json) {
  json_owed = json ? 1 : 0;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal, end_now);
}

void stdout_is_in_use() { json_owed = 0; }

void catch_stop_signals() {
  start_watchdog();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU}) handle(signal, remember_signal);
}

int stop_signal() {
  if (caught != 0) watchdog_be_patient();
  return caught;
}

void set_progress_drawn(bool drawn) { progress_drawn = drawn ? 1 : 0; }

}  // namespace ntq::apps
