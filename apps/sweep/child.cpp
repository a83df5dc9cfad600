#include "apps/sweep/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include "apps/text.h"
#include "base/check.h"
#include "base/printable.h"

namespace ntq::apps {
namespace {

constexpr size_t kLongestLine = 400;

[[noreturn]] void no_process() {
  throw DeviceError(concat("cannot start another process: ", std::strerror(errno), "; try fewer --jobs"));
}

/// "VmHWM:   1234 kB" of a file in /proc, in bytes.
std::optional<int64_t> kilobytes(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return 1024 * std::atoll(line.c_str() + key.size());
  }
  return std::nullopt;
}

/// In the child, where nothing may be allocated.
[[noreturn]] void become(const char* program, char** words, pid_t parent, const char* out, int err,
                         const sigset_t& mask) {
  setpgid(0, 0);  // Ctrl-C on the terminal is the sweep's, which asks once
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU}) {
    struct sigaction before = {};
    sigaction(number, nullptr, &before);
    const bool ignored = (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_IGN;
    if (!ignored) signal(number, SIG_DFL);
  }
  const int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, STDIN_FILENO);
  const int answer = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (answer >= 0) dup2(answer, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  if (getppid() != parent) _exit(128 + SIGTERM);
  execv(program, words);
  const char* why = std::strerror(errno);
  for (const char* part : {"error: cannot run ", program, ": ", why, "\n"}) {
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  _exit(127);
}

}  // namespace

Child::Child(const std::string& program, const std::vector<std::string>& words, const std::string& out)
    : err_(memfd_create("stderr", MFD_CLOEXEC)) {
  if (err_ < 0) no_process();
  std::vector<std::string> texts = words;
  texts.insert(texts.begin(), program);
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  // A signal between fork() and execv() would find this program's handlers and be lost.
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  process_ = fork();
  if (process_ == 0) become(texts[0].c_str(), pointers.data(), parent, out.c_str(), err_, before);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (process_ < 0) no_process();
}

Child::~Child() {
  ask_to_stop();
  if (!code_ && process_ > 0) waitpid(process_, nullptr, 0);
  close(err_);
}

std::optional<int> Child::ended() {
  int status = 0;
  if (code_ || waitpid(process_, &status, WNOHANG) != process_) return code_;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return code_;
}

int64_t Child::peak_memory() const { return kilobytes(concat("/proc/", process_, "/status"), "VmHWM:").value_or(0); }

void Child::ask_to_stop() {
  if (!code_ && process_ > 0) kill(process_, SIGTERM);
}

std::string Child::error_line() const {
  constexpr std::string_view kError = "error: ";
  char text[4096];
  struct stat about = {};
  fstat(err_, &about);
  const off_t size = about.st_size, from = size > off_t{sizeof text} ? size - off_t{sizeof text} : 0;
  const ssize_t got = pread(err_, text, sizeof text, from);
  std::string all(text, got > 0 ? static_cast<size_t>(got) : 0);
  while (all.ends_with('\n')) all.pop_back();
  const std::string line = all.substr(all.rfind('\n') + 1);  // npos + 1 is 0
  return line.starts_with(kError) ? printable(line.substr(kError.size()), kLongestLine) : "";
}

std::optional<int64_t> available_memory() { return kilobytes("/proc/meminfo", "MemAvailable:"); }

}  // namespace ntq::apps
