#pragma once
// Ends a process that a signal has asked to stop and that hangs: in a read of a dead mount, say, which no flag reaches.

namespace ntq::apps {

/// Starts the watching thread, asleep; the first call counts. Without threads to be had there is no watchdog. `say` is
/// called at the end, after the line; it may only do what a signal handler may.
void start_watchdog(void (*say)(int signal), double seconds = 4);
/// A stop signal has come; may be called in a signal handler. A process that computes, reads or writes is left alone;
/// one that does nothing for so many seconds ends with 128 + signal and a line on stderr.
void wake_watchdog(int signal);
/// While one lives, the watchdog waits for 30 seconds: a disk may take its time to flush a checkpoint.
class SlowWrite {
 public:
  SlowWrite();
  ~SlowWrite();
  SlowWrite(const SlowWrite&) = delete;
  SlowWrite& operator=(const SlowWrite&) = delete;
};

}  // namespace ntq::apps
