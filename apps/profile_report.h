#pragma once
// A profile as people read it: a table, and a trace for chrome://tracing or ui.perfetto.dev.
#include <string>

#include <nlohmann/json_fwd.hpp>
#include "train/profile.h"

namespace ntq::apps {

/// Lines of text: the limits, what the rows add up to, and the rows that took longest, at most `most`.
std::string profile_text(const Profile& profile, size_t most = 40);
/// All rows; "seconds" of training and validation, limits, and the share that rows make of them.
nlohmann::ordered_json profile_json(const Profile& profile);
/// Chrome's trace format: an event for each call, inside of one for its step.
std::string trace_json(const Profile& profile);

}  // namespace ntq::apps
