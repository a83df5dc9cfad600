#include "apps/command.h"

#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <nlohmann/json.hpp>

#include "apps/config.h"
#include "apps/text.h"
#include "engine/check.h"

namespace ntq::apps {
namespace {

std::string allowed_hint(const CLI::App& app, const std::string& message) {
  const auto dash = message.find("--");
  const auto stop = dash == std::string::npos ? dash : message.find_first_of(" =,", dash);
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::string guess = dash == std::string::npos
                                ? ""
                                : nearest(message.substr(dash, stop == std::string::npos ? stop : stop - dash), names);
  return (guess.empty() ? "" : "; did you mean " + guess + "?") + std::string(" (--help lists the options)");
}

/// The help without the blank lines before headings: it has to fit on one screen.
std::string one_screen(std::string text) {
  for (size_t at; (at = text.find("\n\n\n")) != std::string::npos;) text.erase(at, 2);
  return text;
}

int fail(bool json, int code, const std::string& what) {
  std::string line = what;
  for (char& c : line) c = c == '\n' ? ' ' : c;
  std::cerr << "error: " << line << std::endl;
  if (json) std::cout << nlohmann::ordered_json{{"error", line}, {"exit_code", code}}.dump() << std::endl;
  return code;
}

}  // namespace

const char* version() { return NTQ_VERSION; }
const char* build_type() { return NTQ_BUILD_TYPE; }

bool parse_or_answer(CLI::App& app, int argc, char** argv) {
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  app.name(name);
  app.get_formatter()->column_width(28);
  app.set_version_flag("--version", name + " " + version(), "print the version and stop");
  app.set_help_flag("-h,--help", "print this and stop");
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::CallForHelp&) {
    std::cout << one_screen(app.help());
  } catch (const CLI::CallForVersion& e) {
    std::cout << e.what() << '\n';
  } catch (const CLI::ParseError& e) {
    throw UsageError(e.what() + allowed_hint(app, e.what()));
  }
  return false;
}

int run_command(int argc, char** argv, const std::function<void()>& body) {
  bool json = false;
  for (int i = 1; i < argc; ++i) json = json || std::strcmp(argv[i], "--json") == 0;
  try {
    body();
    std::cout.flush();
    // A full disk behind a redirected stdout must not look like success.
    return std::cout ? 0 : fail(false, 4, "cannot write to stdout");
  } catch (const Error& e) {
    return fail(json, e.exit_code(), e.what());
  } catch (const std::bad_alloc&) {
    return fail(json, 6, "out of memory: try a smaller --batch-size, or a smaller model");
  } catch (const std::invalid_argument& e) {
    return fail(json, 2, e.what());
  } catch (const std::filesystem::filesystem_error& e) {
    return fail(json, 4, e.what());
  } catch (const std::exception& e) {
    return fail(json, 1, std::string("internal error: ") + e.what());
  }
}

}  // namespace ntq::apps
