// Signals, as other programs, shells and service managers send them.
#include "apps/signals.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/watchdog.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"
#include "tests/support/wait.h"

using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

/// A training without an end, in a folder; waits until it trains.
struct Endless {
  TempFolder folder;
  std::string path = folder / "synthetic-resnet20-fp";
  pid_t child;

  explicit Endless(const std::string& before = "") {
    child = fork();
    if (child == 0) {
      const std::string line = before + "exec " NTQ_BIN_DIR "/ntq-train" + kTiny + "--epochs 100000 --json --output " +
                               folder.str() + " >" + folder / "out" + " 2>" + folder / "err";
      execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    CHECK(wait_until([&] { return contains(read_file(path + "/log.txt"), "epoch 1/"); }));
  }
  ~Endless() { kill(child, SIGKILL); }
  std::string out() const { return read_file(folder / "out"); }
  std::string err() const { return read_file(folder / "err"); }
};

/// A process of its own that runs `body`.
template <class Body>
pid_t child_of(const Body& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  return child;
}

/// Children say so when they are ready for a signal.
void wait_until_there(const std::string& path) {
  REQUIRE(wait_until([&] { return fs::exists(path); }));
  fs::remove(path);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("each signal that asks to stop saves, and is told without the word error") {
  for (const int signal : {SIGHUP, SIGUSR1, SIGXCPU, SIGINT}) {
    Endless run_of;
    kill(run_of.child, signal);
    CHECK(finish(run_of.child) == 128 + signal);
    CHECK(contains(run_of.err(), "interrupted in epoch "));
    CHECK_FALSE(contains(run_of.err(), "error:"));
    CHECK(fs::exists(run_of.path + "/last.bin"));
    CHECK(contains(read_file(run_of.path + "/log.txt"), "stopped: interrupted in epoch"));
    CHECK(nlohmann::json::parse(run_of.out())["exit_code"] == 128 + signal);
  }
}

TEST_CASE("a signal between two stages: the first one is kept, and the line says how to go on") {
  const TempFolder folder;
  const std::string quantized = folder / "synthetic-resnet20-w4a4-ntq";
  const pid_t child =
      start("ntq-train" + kTiny + "--bits 4 --pretrain-epochs 1 --epochs 100000 --output " + folder.str());
  REQUIRE(wait_until([&] { return fs::exists(folder / "synthetic-resnet20-fp/result.json"); }));
  kill(child, SIGTERM);
  CHECK(finish(child) == 128 + SIGTERM);
  const std::string log = read_file(quantized + "/log.txt");
  CHECK_MESSAGE(contains(log, "Go on with: ntq-train --resume " + quantized), log);
}

TEST_CASE("signals that stop nothing, and signals that come twice at once") {
  // nohup: HUP is for others. In the background of a script INT is ignored, but kill -INT is meant.
  Endless run_of("trap '' HUP INT; ");
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGHUP}) kill(run_of.child, signal);
  std::this_thread::sleep_for(300ms);
  CHECK(waitpid(run_of.child, nullptr, WNOHANG) == 0);
  // As `timeout` and closing terminals do it: still one request, which saves.
  kill(run_of.child, SIGSTOP);
  kill(run_of.child, SIGINT);
  kill(run_of.child, SIGTERM);
  kill(run_of.child, SIGCONT);
  const int code = finish(run_of.child);
  CHECK((code == 130 || code == 143));
  CHECK(contains(run_of.err(), "; saved. Go on with"));
}

TEST_CASE("the other commands end with 128 + signal and a line; with --json an object") {
  const TempFolder folder;
  mkfifo((folder / "fifo").c_str(), 0600);
  for (const int signal : {SIGTERM, SIGHUP, SIGUSR1, SIGXCPU}) {
    const pid_t child = child_of([&] {
      std::freopen((folder / "out").c_str(), "w", stdout);
      std::freopen((folder / "err").c_str(), "w", stderr);
      ntq::apps::end_on_signals(true);
      write_file(folder / "ready", "");
      static_cast<void>(open((folder / "fifo").c_str(), O_RDONLY));  // waits for a writer
    });
    wait_until_there(folder / "ready");
    kill(child, signal);
    CHECK(finish(child) == 128 + signal);
    CHECK(read_file(folder / "err") == "interrupted\n");
    CHECK(nlohmann::json::parse(read_file(folder / "out"))["exit_code"] == 128 + signal);
  }
}

TEST_CASE("a process that hangs when a signal comes ends soon; one that computes is left to it") {
  const TempFolder folder;
  mkfifo((folder / "fifo").c_str(), 0600);
  const auto prepare = [&] {
    std::freopen((folder / "err").c_str(), "w", stderr);
    ntq::apps::start_watchdog(nullptr, 0.5);
    ntq::apps::catch_stop_signals();
    write_file(folder / "ready", "");
  };
  const pid_t hangs = child_of([&] {
    prepare();
    static_cast<void>(open((folder / "fifo").c_str(), O_RDONLY));  // restarted behind the handler
  });
  wait_until_there(folder / "ready");
  const auto start = std::chrono::steady_clock::now();
  kill(hangs, SIGTERM);
  CHECK(finish(hangs) == 128 + SIGTERM);
  CHECK(seconds_since(start) < 5);
  CHECK(contains(read_file(folder / "err"), "does not answer"));

  const pid_t computes = child_of([&] {
    prepare();
    const std::clock_t begin = std::clock();
    while (std::clock() - begin < CLOCKS_PER_SEC) {  // a second of computing, half of it behind the signal at least
    }
  });
  wait_until_there(folder / "ready");
  kill(computes, SIGTERM);
  CHECK(finish(computes) == 0);
  // A disk that takes its time for a checkpoint is no hang.
  const pid_t saves = child_of([&] {
    prepare();
    const ntq::apps::SlowWrite write;
    for (int i = 0; i < 10; ++i) std::this_thread::sleep_for(100ms);
  });
  wait_until_there(folder / "ready");
  kill(saves, SIGTERM);
  CHECK(finish(saves) == 0);
}
