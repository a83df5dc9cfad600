#include "apps/signals.h"

#include <csignal>

namespace ntq::apps {
namespace {

volatile std::sig_atomic_t caught = 0;

extern "C" void remember_signal(int signal) { caught = signal; }

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = remember_signal;
  // SA_RESETHAND: the second signal of a kind meets the default handler.
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() { return caught; }

}  // namespace ntq::apps
