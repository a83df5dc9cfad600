#pragma once
// What every page has: its style, light or dark as the reader's system, and its script.

namespace ntq::apps {

extern const char* const kStyle;
extern const char* const kScript;

}  // namespace ntq::apps
