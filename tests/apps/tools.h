#pragma once
// Temporary folders, and the built commands run as a user runs them.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace ntq::test {

struct TempFolder {
  std::string path;
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "ntq-apps-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string operator/(const std::string& name) const { return path + "/" + name; }
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

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
