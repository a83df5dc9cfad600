#pragma once
// A process of its own that trains: started, watched, and asked to stop.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ntq::apps {

class Child {
 public:
  /// Runs a program; its stderr is kept in memory, its stdout goes into the file `out`, or nowhere. It is asked to stop
  /// when this process ends, however that comes, and a terminal's Ctrl-C does not reach it. Throws DeviceError when the
  /// system gives no process.
  Child(const std::string& program, const std::vector<std::string>& words, const std::string& out = "/dev/null");
  /// Asks a living one to stop, and waits for it.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Its exit code, or 128 + the signal that killed it; nothing while it runs.
  std::optional<int> ended();
  /// The most memory that it has had so far, in bytes; 0 where the system does not tell.
  int64_t peak_memory() const;
  /// SIGTERM: ntq-train saves, and ends with 143.
  void ask_to_stop();
  /// What it said when it failed: the last line of its stderr behind "error: "; "" when that is another line.
  std::string error_line() const;

 private:
  pid_t process_ = -1;
  int err_ = -1;  // a file in memory
  std::optional<int> code_;
};

/// Bytes that new processes can have without swapping; nothing where the system does not tell.
std::optional<int64_t> available_memory();

}  // namespace ntq::apps
