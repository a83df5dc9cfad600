#include "apps/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/check.h"

namespace ntq::apps {
namespace {

size_t terminal_width(std::FILE* stream) {
  winsize size{};
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

bool wants_color() {
  const char* off = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (off == nullptr || *off == '\0') && term != nullptr && std::strcmp(term, "dumb") != 0;
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
  if (log_ != nullptr) std::fclose(log_);
  log_ = path.empty() ? nullptr : std::fopen(path.c_str(), "a");
  if (log_ == nullptr && !path.empty()) {
    throw CheckpointError(concat(path, ": cannot open the log for writing: ", std::strerror(errno)));
  }
}

void Console::log(const std::string& text) {
  if (log_ == nullptr) return;
  std::fprintf(log_, "%s\n", text.c_str());
  std::fflush(log_);
}

void Console::print(std::FILE* stream, const std::string& text) {
  clear_progress();
  std::fprintf(stream, "%s\n", text.c_str());
  std::fflush(stream);
}

void Console::line(const std::string& text) {
  log(text);
  if (!quiet_) print(out_, text);
}

void Console::headline(const std::string& text) {
  log(text);
  if (!quiet_) print(out_, color_ ? "\033[1m" + text + "\033[0m" : text);
}

void Console::warn(const std::string& text) {
  const std::string full = "warning: " + text;
  log(full);
  print(stderr, full);
}

void Console::progress(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (!live() || now - last_draw_ < std::chrono::milliseconds(100)) return;
  last_draw_ = now;
  drawn_ = true;
  std::fprintf(out_, "\r%s\033[K", text.substr(0, terminal_width(out_) - 1).c_str());
  std::fflush(out_);
}

void Console::clear_progress() {
  if (drawn_) std::fprintf(out_, "\r\033[K");
  drawn_ = false;
}

std::string bar(double part, int width) {
  const int full = static_cast<int>(std::clamp(part, 0.0, 1.0) * width);
  return "[" + std::string(static_cast<size_t>(full), '#') + std::string(static_cast<size_t>(width - full), '-') + "]";
}

}  // namespace ntq::apps
