#pragma once
// What a command says: plain lines, warnings, and a progress line on a terminal only. Everything goes to log.txt too.
// Names out of files may hold anything: what a terminal would obey is shown as text (base/printable.h), here and in
// the log. A screen or log that cannot be written stops no training; lost() says so at the end.
#include <chrono>
#include <cstdio>
#include <string>

namespace ntq::apps {

class Console {
 public:
  /// quiet: only warnings reach the screen. to_stderr: stdout stays free for JSON.
  Console(bool quiet, bool to_stderr);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Appends every line to this file from now on; "" ends it. Throws CheckpointError.
  void log_to(const std::string& path);
  /// Of a log that could not be written in full: "runs/x/log.txt: No space left on device". "": nothing is lost.
  const std::string& lost() const { return lost_; }
  /// One line; a line end in it is shown as "\n".
  void line(const std::string& text);
  /// Several lines, as they are: a table.
  void block(const std::string& lines);
  /// The same in bold, on a terminal that shows colour.
  void headline(const std::string& text);
  /// On stderr, quiet or not.
  void warn(const std::string& text);
  /// Only into the log file.
  void log(const std::string& text);
  /// Redraws the progress line, or lines, ten times a second at most; nothing when the output is no terminal.
  void progress(const std::string& text);
  /// Removes them.
  void clear_progress();
  /// Whether progress() shows anything.
  bool live() const { return terminal_ && !quiet_; }

 private:
  void to_first_line() const;
  void print(std::FILE* stream, const std::string& text);
  void log_clean(const std::string& text);
  void log_failed();
  void out_failed();

  std::FILE* out_;
  std::FILE* log_ = nullptr;
  std::string log_path_, lost_;
  bool quiet_, terminal_, color_;
  size_t drawn_ = 0;         // lines of progress on the screen
  bool out_failed_ = false;  // and that has been said
  std::chrono::steady_clock::time_point last_draw_{};
};

/// "[#####-----]" of `width` cells; `part` in [0, 1].
std::string bar(double part, int width);

}  // namespace ntq::apps
