// What reaches the screen and log.txt: nothing that a terminal would obey, no half characters.
#include "apps/console.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "apps/text.h"
#include "base/check.h"
#include "tests/apps/tools.h"
#include "tests/support/text.h"

using namespace ntq::apps;
using namespace ntq::test;

namespace {

/// What `body` writes on stdout.
template <class Body>
std::string printed(const Body& body) {
  const TempFolder folder;
  std::fflush(stdout);
  const int before = dup(STDOUT_FILENO);
  const int file = open((folder / "out").c_str(), O_CREAT | O_WRONLY, 0600);
  dup2(file, STDOUT_FILENO);
  close(file);
  body();
  std::fflush(stdout);
  dup2(before, STDOUT_FILENO);
  close(before);
  return read_file(folder / "out");
}

const std::string kEvil = "class \033]0;owned\a\033[2J\xff\nline \xc2\x9b";
const std::string kTame = "class \\x1b]0;owned\\x07\\x1b[2J\\xff\\nline \\u009b";

}  // namespace

TEST_CASE("escape sequences in names are shown, on the screen and in the log") {
  const TempFolder folder;
  const std::string screen = printed([&] {
    Console console(false, false);
    console.log_to(folder / "log.txt");
    console.line(kEvil);
    console.headline(kEvil);
    console.log(kEvil);
    console.block("a\tb\nM\xc3\xbcnchen \033[1m");
    CHECK(console.lost().empty());
  });
  CHECK(screen == kTame + "\n" + kTame + "\na\tb\nM\xc3\xbcnchen \\x1b[1m\n");
  CHECK(read_file(folder / "log.txt") == kTame + "\n" + kTame + "\n" + kTame + "\na\tb\nM\xc3\xbcnchen \\x1b[1m\n");
}

TEST_CASE("a log that cannot be written stops nothing and is remembered") {
  std::string lost;
  const std::string screen = printed([&] {
    Console console(false, false);
    console.log_to("/dev/full");
    console.line("one");
    console.line("two");
    console.log_to("");
    lost = console.lost();
  });
  CHECK(screen == "one\ntwo\n");
  CHECK(lost == "/dev/full: No space left on device");
}

TEST_CASE("texts are cut and measured by columns, between characters") {
  CHECK(columns("M\xc3\xbcnchen") == 7);
  CHECK(columns("\xe6\x9d\xb1\xe4\xba\xac") == 4);  // two wide ones
  CHECK(first_columns("M\xc3\xbcnchen", 2) == "M\xc3\xbc");
  CHECK(first_columns("M\xc3\xbcnchen", 1) == "M");
  CHECK(first_columns("\xe6\x9d\xb1\xe4\xba\xac", 3) == "\xe6\x9d\xb1");
  CHECK(first_columns("ab", 0).empty());
  CHECK(first_columns("ab", 9) == "ab");
  CHECK(table({{"n", "v"}, {"\xc3\xbc", "1"}}) == "n  v\n\xc3\xbc  1\n");
  CHECK(one_line("a\n  b\nc\n") == "a b c");
  CHECK(in_natural_order({"r101", "r18", "r2-b", "r2"}) == std::vector<std::string>{"r2", "r2-b", "r18", "r101"});
}

TEST_CASE("near words: case, dashes, beginnings, two edits, but nothing far") {
  const std::vector<std::string> names = {"epochs", "weight_bits", "resnet20", "lr"};
  CHECK(nearest("Epochs", names) == "epochs");
  CHECK(nearest("weight-bits", names) == "weight_bits");
  CHECK(nearest("resnet", names) == "resnet20");
  CHECK(nearest("resent20", names) == "resnet20");
  CHECK(nearest("xy", names).empty());
  CHECK(nearest("", names).empty());
}

TEST_CASE("names that are no UTF-8: shown, replaced in JSON, refused where they would be stored") {
  const TempFolder folder;
  CHECK(run("ntq-info '" + folder / "\xfc'").code == 4);
  const Outcome json = run("ntq-info --json '" + folder / "\xfc'");
  CHECK(json.code == 4);
  CHECK(nlohmann::json::parse(json.out)["exit_code"] == 4);
  CHECK(contains(json.err, "\\xfc: "));
  CHECK(lines_of(json.err) == 1);
  const Outcome train = run("ntq-train" + kTiny + "--output '" + folder / "\xfc'");
  CHECK(train.code == 2);
  CHECK(contains(train.err, "\\xfc"));
  CHECK(run("ntq-train cifar10 '\xfc'").code == 2);
}

TEST_CASE("a log that is a named pipe is refused, not waited for") {
  const TempFolder folder;
  REQUIRE(mkfifo((folder / "log.txt").c_str(), 0600) == 0);
  Console console(true, true);
  const std::string error = error_of<ntq::CheckpointError>([&] { console.log_to(folder / "log.txt"); });
  CHECK_MESSAGE(contains(error, "log.txt: cannot open the log for writing: it is a pipe"), error);
}
