#include "apps/command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

#include "apps/command_line.h"
#include "apps/config.h"
#include "apps/json.h"
#include "apps/signals.h"
#include "apps/streams.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

constexpr size_t kNameColumn = 28, kHelpWidth = 100;

/// The help without the blank lines before headings, for it has to fit on one screen, and with long lists wrapped.
std::string one_screen(std::string text) {
  for (size_t at; (at = text.find("\n\n\n")) != std::string::npos;) text.erase(at, 2);
  for (size_t start = 0, end; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    const size_t comma = text.rfind(", ", start + kHelpWidth);
    if (end - start <= kHelpWidth || text[start] != ' ' || comma == std::string::npos || comma < start + kNameColumn) {
      continue;
    }
    text.replace(comma + 1, 1, "\n" + std::string(kNameColumn, ' '));
    end = comma + 1;
  }
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

bool answered = false;  // the one JSON object has been printed

/// Says why the command ends with `code`. One line whatever `what` holds; a stop that was asked for is no error.
int fail(bool json, int code, const std::string& what) {
  const std::string line = printable(one_line(what), 4000);
  std::cerr << (code > 128 ? "" : "error: ") << line << std::endl;
  if (json && !answered) print_json({{"error", line}}, code);
  return code;
}

/// `code`, or 4 if what was printed has not all arrived: a full disk behind a redirected stdout is no success.
int with_streams_finished(int code) {
  for (std::FILE* stream : {stdout, stderr}) {
    const std::string lost = finish_stream(stream);
    if (code == 0 && !lost.empty()) code = fail(false, 4, lost);
  }
  return code;
}

int run_body(bool json, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const Error& e) {
    return fail(json, e.exit_code(), e.what());
  } catch (const std::bad_alloc&) {
    return fail(json, 6, "out of memory: try a smaller --batch-size, or a smaller model");
  } catch (const std::invalid_argument& e) {
    return fail(json, 2, e.what());
  } catch (const std::filesystem::filesystem_error& e) {
    return fail(json, 4, e.path1().string() + ": " + e.code().message());
  } catch (const std::system_error& e) {
    return fail(json, 6, std::string("the system gives no more of something (threads?): ") + e.what());
  } catch (const std::exception& e) {
    return fail(json, 1, std::string("internal error: ") + e.what());
  }
}

}  // namespace

const char* version() { return NTQ_VERSION; }
const char* build_type() { return NTQ_BUILD_TYPE; }

bool parse_or_answer(CLI::App& app, int argc, char** argv) {
  const std::string name = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "ntq";
  app.name(name);
  app.get_formatter()->column_width(kNameColumn);
  app.set_version_flag("--version", name + " " + version(), "print the version and stop");
  app.set_help_flag("-h,--help", "print this and stop");
  for (auto* option : app.get_options()) {
    if (option->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll) continue;  // --quant
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  try {
    app.parse(checked_words(app, argc, argv));
    return true;
  } catch (const CLI::CallForHelp&) {
    std::cout << one_screen(app.help());
  } catch (const CLI::CallForVersion& e) {
    std::cout << e.what() << '\n';
  } catch (const CLI::ParseError& e) {
    throw UsageError(std::string(e.what()) + " (--help lists the options)");
  }
  return false;
}

void print_json(nlohmann::ordered_json answer, int code) {
  answer["exit_code"] = code;
  answered = true;
  stdout_is_in_use();
  std::cout << dump_json(answer) << '\n';
  if (!std::cout.flush()) note_failed_write(stdout);
}

int run_command(int argc, char** argv, const std::function<void()>& body) {
  open_closed_streams();
  bool json = false;
  for (int i = 1; i < argc; ++i)
    json = json || std::strcmp(argv[i], "--json") == 0 || std::strcmp(argv[i], "--json=true") == 0;
  end_on_signals(json);
  return with_streams_finished(run_body(json, body));
}

}  // namespace ntq::apps
