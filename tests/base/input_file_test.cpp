#include "base/input_file.h"

#include <sys/stat.h>

#include "tests/support/files.h"
#include "tests/support/safetensors.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;

TEST_CASE("read_text_file: all of it, or an error") {
  const TempFolder folder;
  const std::string text(200'000, 'x');
  write_file(folder / "a", text);
  CHECK(read_text_file(folder / "a") == text);
  CHECK(read_text_file(folder / "a", 200'000) == text);
  CHECK(contains(one_line_of<CheckpointError>([&] { read_text_file(folder / "a", 199'999); }), "at most 199999 bytes"));
  CHECK(contains(one_line_of<CheckpointError>([&] { read_text_file(folder / "b"); }), "No such file"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const std::string& path : {folder / "pipe", folder.str(), std::string("/dev/zero"), std::string("/dev/null")}) {
    CHECK(contains(one_line_of<CheckpointError>([&] { read_text_file(path); }), "not a regular file"));
  }
}
