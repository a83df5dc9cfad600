#pragma once
// The built commands, run as a user runs them.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/support/files.h"

namespace ntq::test {

struct Outcome {
  int code = -1;  ///< exit status, or 128 + signal
  std::string out, err;
};

/// Runs "ntq-train ..." (a program of the build and its arguments, as the shell takes them), behind other commands.
inline Outcome run(const std::string& command, const std::string& before = "") {
  const TempFolder folder;
  const std::string line = before + NTQ_BIN_DIR "/" + command + " >" + folder / "out" + " 2>" + folder / "err";
  const int status = std::system(line.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return {code, read_file(folder / "out"), read_file(folder / "err")};
}

/// Starts a command in the background, its output thrown away.
inline pid_t start(const std::string& command) {
  const pid_t child = fork();
  if (child == 0) {
    const std::string line = "exec " NTQ_BIN_DIR "/" + command + " >/dev/null 2>&1";
    execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  return child;
}

/// Waits for it: exit status, or 128 + signal.
inline int finish(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Options that make a run of seconds: 64 training images in 4 steps an epoch.
inline const std::string kTiny =
    " synthetic resnet20 --limit-train 64 --limit-val 16 --batch-size 16 --log-interval 1 --threads 1 ";

inline int64_t lines_of(const std::string& text) {
  int64_t count = 0;
  for (const char c : text) count += c == '\n' ? 1 : 0;
  return count;
}

}  // namespace ntq::test
