#pragma once
// SIGINT and SIGTERM: the first asks the training loop to finish its step and save, the second kills at once.

namespace ntq::apps {

/// Installs the handlers.
void catch_stop_signals();
/// The signal that has come, or 0.
int stop_signal();

}  // namespace ntq::apps
