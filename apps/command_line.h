#pragma once
// The words of a command line, checked before they are used: CLI11 describes the options and keeps the values.
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace ntq::apps {

/// The whole text as an integer or a finite number, written with a point. Throws UsageError: "--lr: expected a number,
/// found '1,5'".
int64_t parse_integer(const std::string& option, const std::string& text);
double parse_real(const std::string& option, const std::string& text);

/// The words in the form that CLI11 cannot misread, for app.parse(): last first. An option whose type name is "N" or
/// "X" holds an integer or a number; "-5" is a value, "--lr" is none. Throws UsageError in one line for an unknown
/// option (with near names), a value that is missing, wrong or not wanted, and for words too many or too few.
std::vector<std::string> checked_words(const CLI::App& app, int argc, const char* const* argv);

/// What `name` (without dashes) means among the options of this command: "did you mean --epochs?", "the second word is
/// the MODEL", or "". Knows what other training programs call it.
std::string meant(const CLI::App& app, const std::string& name);

}  // namespace ntq::apps
