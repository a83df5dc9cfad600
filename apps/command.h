#pragma once
// What every command does at its edges: help and version, exit codes, the JSON answer.
#include <functional>

#include <nlohmann/json_fwd.hpp>

namespace CLI {
class App;
}

namespace ntq::apps {

/// Parses; false when --help or --version has been answered. Throws UsageError with what is allowed.
bool parse_or_answer(CLI::App& app, int argc, char** argv);

/// The answer of --json: one object on one line of stdout, with "exit_code" added. Text that is no UTF-8 is replaced.
void print_json(nlohmann::ordered_json answer, int exit_code = 0);

/// Runs `body` and turns exceptions into one line on stderr and an exit code (docs/commands.md): UsageError and
/// invalid_argument 2, Error its own, out of memory 6. With --json among the arguments a failure prints
/// {"error", "exit_code"} on stdout, unless print_json() has answered. What was printed and did not arrive makes it 4.
int run_command(int argc, char** argv, const std::function<void()>& body);

/// The release and the build type: "0.1.0", "Release".
const char* version();
const char* build_type();

}  // namespace ntq::apps
