#pragma once
// Signals: how a training is asked to stop, and what a signal does to the other commands.
//
// A run stops on INT, TERM, HUP, USR1 and XCPU: the first lets the training loop finish its step and save, a second one
// kills at once. HUP stays ignored where it was (nohup), and Ctrl-C where INT was (background jobs of scripts). PIPE
// and XFSZ are ignored: writing fails instead, and is checked.

namespace ntq::apps {

/// For every command, first of all: PIPE and XFSZ are ignored; those that stop a run end it with 128 + signal and one
/// line on stderr, with `json` also the object on stdout.
void end_on_signals(bool json);
/// From here on an answer may be half written: a signal adds nothing to stdout.
void stdout_is_in_use();

/// The training loop polls stop_signal() from now on. If a signal comes and the process makes no progress for some
/// seconds (hung in a read of a dead mount), it ends with 128 + signal (watchdog.h); off: for loops that wait for other
/// processes.
enum class Watchdog { on, off };
void catch_stop_signals(Watchdog watchdog = Watchdog::on);
/// The signal that has come, or 0.
int stop_signal();

/// Whether a line is on the screen that a message has to replace first.
void set_progress_drawn(bool drawn);

}  // namespace ntq::apps
