#pragma once
// The lines that a run starts with.
#include "apps/console.h"
#include "apps/init.h"
#include "apps/session.h"

namespace ntq::apps {

/// Device, model, data, quantization by layer group, optimizer, schedule, run folder.
void print_start(Console& console, const Session& session, const std::string& run_path);
/// Warns of methods that this run does not count as, because what they are named for takes no part in it. `is_last`:
/// of the stages, those before are widths on the way to it.
void warn_left_out(Console& console, const Session& session, bool is_last);
/// What --init has found, missed and left over.
void print_init(Console& console, const LoadReport& report, const std::string& path);
/// "full precision" or "weights 4, activations 4 bits (ntq)".
std::string precision_text(const TrainConfig& config);

}  // namespace ntq::apps
