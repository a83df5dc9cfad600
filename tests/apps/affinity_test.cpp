// OpenMP's own variables bind its threads, and nothing else: neither the rest of the program nor its other threads.
#include <doctest/doctest.h>

#include <set>
#include <utility>

#include "tests/apps/tools.h"
#include "tests/support/wait.h"

using namespace ntq::test;

namespace {

/// "0-1": the CPUs that a thread may use, of this process or of another's threads.
std::string allowed(const std::string& status) {
  const std::string key = "Cpus_allowed_list:";
  const auto at = status.find(key);
  if (at == std::string::npos) return "";
  const auto begin = status.find_first_not_of(" \t", at + key.size());
  return status.substr(begin, status.find('\n', begin) - begin);
}

/// What each thread of a process is allowed.
std::multiset<std::string> threads_of(pid_t process) {
  std::multiset<std::string> found;
  std::error_code gone;
  for (std::filesystem::directory_iterator task("/proc/" + std::to_string(process) + "/task", gone), end;
       !gone && task != end; task.increment(gone)) {
    found.insert(allowed(read_file(task->path() / "status")));
  }
  return found;
}

}  // namespace

TEST_CASE("bound OpenMP threads: as many as asked for, on the CPUs asked for, and loader threads on all of them") {
  const std::string all = allowed(read_file("/proc/self/status"));
  if (all.find_first_of("-,") == std::string::npos) return;  // a single CPU
  const std::string expected = run("ntq-info --build").out;
  const std::pair<std::string, std::string> bindings[] = {
      {"OMP_PROC_BIND", "true"}, {"OMP_PLACES", "threads"}, {"GOMP_CPU_AFFINITY", all}};
  for (const auto& binding : bindings) {
    const std::string &name = binding.first, &value = binding.second;
    CAPTURE(name);
    CHECK(run("ntq-info --build", name + "=" + value + " ").out == expected);
    const TempFolder folder;
    setenv(name.c_str(), value.c_str(), 1);
    const pid_t child =
        start("ntq-train synthetic resnet20 --epochs 40 --threads 2 --workers 2 --output " + folder / "run");
    unsetenv(name.c_str());
    size_t workers = 0, bound = 0;
    wait_until([&] {
      const std::multiset<std::string> found = threads_of(child);
      workers = found.count(all);
      bound = std::set<std::string>(found.begin(), found.end()).size() - (workers > 0);
      return workers == 4 && bound >= 2;
    });
    CHECK(workers == 4);  // of the loaders of both splits
    CHECK(bound >= 2);    // OpenMP's, on CPUs of their own
    kill(child, SIGKILL);
    finish(child);
  }
}
