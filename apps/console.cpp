#include "apps/console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "apps/signals.h"
#include "apps/streams.h"
#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

size_t terminal_width(std::FILE* stream) {
  winsize size{};
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

bool wants_color() {
  const char* off = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (off == nullptr || *off == '\0') && term != nullptr && std::strcmp(term, "dumb") != 0;
}

/// A pipe without a reader would hold the program up.
std::FILE* open_log(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0 && (S_ISFIFO(found.st_mode) || S_ISSOCK(found.st_mode))) {
    throw CheckpointError(path + ": cannot open the log for writing: it is a pipe or a socket, not a file; remove it");
  }
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0666);
  return file < 0 ? nullptr : fdopen(file, "a");
}

}  // namespace

Console::Console(bool quiet, bool to_stderr)
    : out_(to_stderr ? stderr : stdout),
      quiet_(quiet),
      terminal_(isatty(fileno(out_)) != 0),
      color_(terminal_ && wants_color()) {}

Console::~Console() {
  clear_progress();
  log_to("");
}

void Console::log_to(const std::string& path) {
  if (log_ != nullptr && std::fclose(log_) != 0) log_failed();
  log_ = path.empty() ? nullptr : open_log(path);
  if (log_ == nullptr && !path.empty()) {
    throw CheckpointError(concat(path, ": cannot open the log for writing: ", std::strerror(errno)));
  }
  log_path_ = path;
}

void Console::log_failed() {
  if (!lost_.empty()) return;
  lost_ = concat(log_path_, ": ", std::strerror(errno));
  print(stderr, printable(concat("warning: ", lost_, "; the training goes on without a complete log")));
}

void Console::out_failed() {
  const int error = errno;
  note_failed_write(out_);
  if (out_failed_) return;
  out_failed_ = true;
  const char* name = out_ == stdout ? "stdout" : "stderr";
  if (reader_is_gone(out_)) {
    log_clean(concat("nobody reads ", name, " any more; all goes on"));
  } else if (out_ == stdout) {
    warn(concat("cannot write to stdout: ", std::strerror(error), "; all goes on, and ends with exit code 4"));
  } else {
    log_clean(concat("cannot write to stderr: ", std::strerror(error)));
  }
}

void Console::log_clean(const std::string& text) {
  if (log_ == nullptr) return;
  // A failure is remembered, but room may come back: each line is tried.
  std::clearerr(log_);
  std::fprintf(log_, "%s\n", text.c_str());
  if (std::fflush(log_) != 0) log_failed();
}

void Console::log(const std::string& text) { log_clean(printable(text)); }

void Console::print(std::FILE* stream, const std::string& text) {
  clear_progress();
  std::fprintf(stream, "%s\n", text.c_str());
  if (std::fflush(stream) != 0 && stream == out_) out_failed();
}

void Console::line(const std::string& text) {
  log(text);
  if (!quiet_) print(out_, printable(text));
}

void Console::block(const std::string& lines) {
  log_clean(printable_lines(lines));
  if (!quiet_) print(out_, printable_lines(lines));
}

void Console::headline(const std::string& text) {
  log(text);
  const std::string clean = printable(text);
  if (!quiet_) print(out_, color_ ? "\033[1m" + clean + "\033[0m" : clean);
}

void Console::warn(const std::string& text) {
  const std::string full = "warning: " + printable(text);
  log_clean(full);
  print(stderr, full);
}

void Console::progress(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (!live() || now - last_draw_ < std::chrono::milliseconds(100)) return;
  last_draw_ = now;
  set_progress_drawn(true);
  to_first_line();
  drawn_ = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line); ++drawn_) {
    const std::string shown = first_columns(printable(line), terminal_width(out_) - 1);
    std::fprintf(out_, "%s\r%s\033[K", drawn_ > 0 ? "\n" : "", shown.c_str());
  }
  std::fprintf(out_, "\033[J");  // what was below
  if (std::fflush(out_) != 0) out_failed();
}

void Console::to_first_line() const {
  if (drawn_ > 1) std::fprintf(out_, "\033[%zuA", drawn_ - 1);
}

void Console::clear_progress() {
  to_first_line();
  if (drawn_ > 0) std::fprintf(out_, "\r\033[J");
  drawn_ = 0;
  set_progress_drawn(false);
}

std::string bar(double part, int width) {
  const int full = static_cast<int>(std::clamp(part, 0.0, 1.0) * width);
  return "[" + std::string(static_cast<size_t>(full), '#') + std::string(static_cast<size_t>(width - full), '-') + "]";
}

}  // namespace ntq::apps
