// A write that fails leaves what was there, and what killed writers leave goes.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/safetensors.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("write: a folder that is missing, a file where a folder should be, a folder as the file") {
  const TempFolder folder;
  const std::string missing = one_line_of<CheckpointError>([&] { write_file_atomically(folder / "no/a.bin", "text"); });
  CHECK(contains(missing, folder / "no/a.bin"));
  CHECK(contains(missing, "create the folder " + (folder / "no")));
  // A folder in which nothing can be made.
  if (std::filesystem::is_directory("/proc")) {
    CHECK(contains(one_line_of<CheckpointError>([&] { write_file_atomically("/proc/none", "text"); }),
                   "choose another folder than /proc"));
  }
  write_file_atomically(folder / "file", "text");
  CHECK(contains(one_line_of<CheckpointError>([&] { write_file_atomically(folder / "file/a", "text"); }), "file/a"));
  CHECK(contains(one_line_of<CheckpointError>([&] { write_file_atomically(folder.str(), "text"); }), "regular file"));
  CHECK(contains(one_line_of<CheckpointError>([&] { write_file_atomically("/dev/null", "text"); }), "regular file"));
  CHECK(contains(one_line_of<CheckpointError>([&] { write_file_atomically("", "text"); }), "regular file"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("write: a folder that is read-only keeps the old file") {
  const TempFolder folder;
  write_file_atomically(folder / "a", "old");
  ::chmod(folder.str().c_str(), 0555);
  const bool root = ::geteuid() == 0;  // root writes anywhere: become nobody for a moment
  if (root) REQUIRE(::seteuid(65534) == 0);
  const std::string error = one_line_of<CheckpointError>([&] { write_file_atomically(folder / "a", "new"); });
  if (root) REQUIRE(::seteuid(0) == 0);
  ::chmod(folder.str().c_str(), 0755);
  CHECK(contains(error, "choose a folder that you may write to"));
  CHECK(read_file(folder / "a") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("write: a full disk keeps the old file and leaves nothing else") {
  const TempFolder folder;
  write_file_atomically(folder / "a", "old");
  const std::string before = read_file(folder / "a");
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);  // write() then fails as on a full disk
  const rlimit tight{4096, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const std::string error =
      one_line_of<CheckpointError>([&] { write_file_atomically(folder / "a", std::string(16384, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(error, "free some space"));
  CHECK(contains(error, "ulimit -f"));
  CHECK(read_file(folder / "a") == before);
  CHECK(folder.entries() == 1);
}

TEST_CASE("write: replaces the file, keeps its permissions, follows a link") {
  const TempFolder folder;
  write_file_atomically(folder / "a", "old");
  ::chmod((folder / "a").c_str(), 0600);
  std::filesystem::create_symlink(folder / "a", folder / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_file(folder / "a") == "new");
  struct stat status {};
  REQUIRE(::stat((folder / "a").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(folder.entries() == 2);
}

namespace {

/// The name that a writer of this host and of that number would give to its file.
std::string temporary_name(const TempFolder& folder, pid_t pid) {
  // The writer's own name is the pattern: it is there while the writer lives.
  const AtomicFile writer(folder / "pattern");
  for (const auto& entry : std::filesystem::directory_iterator(folder.str())) {
    std::string name = entry.path().filename().string();
    const auto at = name.find(concat("-", ::getpid(), "-"));
    if (name.rfind("pattern.tmp-", 0) != 0 || at == std::string::npos) continue;
    return name.substr(7, at + 1 - 7) + std::to_string(pid) + "-0";
  }
  FAIL("a writer without a temporary file");
  return "";
}

/// The number of a process that has ended.
pid_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

}  // namespace

TEST_CASE("write: temporary files of dead writers of the same file go, others stay") {
  const TempFolder folder;
  const pid_t dead = dead_process();
  const std::string of_dead = temporary_name(folder, dead), of_parent = temporary_name(folder, ::getppid());
  const auto leave = [&](const std::string& name) { write_file(folder / name, "torn"); };
  for (const auto& name : {"a" + of_dead, concat("a.tmp-", dead, "-7"), concat("a.tmp-", ::getpid(), "-7")})
    leave(name);
  const std::vector<std::string> staying = {"a" + of_parent,        concat("a.tmp-otherhost-", dead, "-0"),
                                            "b" + of_dead,          concat("a.tmp-", dead, "-x"),
                                            concat("a.tmp-", dead), "a.tmp-"};
  for (const auto& name : staying) leave(name);
  AtomicFile living(folder / "a");
  const size_t others = staying.size() + 1;
  CHECK(folder.entries() == others);
  write_file_atomically(folder / "a", "new");
  CHECK(folder.entries() == others + 1);
  for (const auto& name : staying) CHECK_MESSAGE(std::filesystem::exists(folder / name), name);
  living.commit();

  remove_stale_temporaries(folder.str());
  CHECK_FALSE(std::filesystem::exists(folder / ("b" + of_dead)));
  CHECK(std::filesystem::exists(folder / ("a" + of_parent)));
  CHECK_NOTHROW(remove_stale_temporaries(folder / "no such folder"));
}

TEST_CASE("write: a temporary file that is locked belongs to somebody alive, whatever its number says") {
  const TempFolder folder;
  const std::string name = folder / ("a" + temporary_name(folder, dead_process()));
  const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(::flock(file, LOCK_EX | LOCK_NB) == 0);
  write_file_atomically(folder / "a", "new");
  CHECK(std::filesystem::exists(name));
  ::close(file);
  write_file_atomically(folder / "a", "new");
  CHECK_FALSE(std::filesystem::exists(name));
}
