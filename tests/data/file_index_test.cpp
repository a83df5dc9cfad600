// Which files a folder of class folders holds, in whose order.
#include "data/file_index.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>

#include "tests/support/files.h"
#include "tests/support/text.h"

using namespace ntq;
using namespace ntq::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> paths(const FileIndex& index) {
  std::vector<std::string> out;
  for (int64_t i = 0; i < index.size(); ++i) out.push_back(index.path(i));
  return out;
}

void write_files(const TempFolder& at, const std::vector<std::string>& files) {
  for (const std::string& file : files) at.write(file, {1, 2, 3});
}

}  // namespace

TEST_CASE("subfolders are read in torchvision's order") {
  const TempFolder at;
  write_files(
      at, {"b/z.jpg", "b/a.PNG", "b/more/1.jpeg", "b/more/deep/0.bmp", "b/more-2/5.jpg", "b/More/9.jpg", "a/x.jpg"});
  // sorted(os.walk(...)): folders by the text of their paths, in which '-' comes before '/'.
  CHECK(paths(read_index(at.path())) == std::vector<std::string>{"a/x.jpg", "b/a.PNG", "b/z.jpg", "b/More/9.jpg",
                                                                 "b/more/1.jpeg", "b/more-2/5.jpg",
                                                                 "b/more/deep/0.bmp"});
  CHECK(paths(read_flat_index(at.path())).size() == 7);
  CHECK(read_flat_index(at.path()).classes.size() == 1);
}

TEST_CASE("a folder that is called like an image is a folder") {
  const TempFolder at;
  write_files(at, {"a/x.jpg/y.jpg", "a/b.jpg"});
  CHECK(paths(read_index(at.path())) == std::vector<std::string>{"a/b.jpg", "a/x.jpg/y.jpg"});
}

TEST_CASE("links are followed, and circles end") {
  const TempFolder at, other;
  write_files(at, {"train/a/x.jpg", "train/b/y.jpg"});
  write_files(other, {"z.jpg"});
  const fs::path root = at.path() / "train";
  fs::create_directory_symlink(other.path(), root / "c");
  fs::create_directory_symlink(other.path(), root / "a/linked");
  fs::create_symlink(root / "a/x.jpg", root / "b/again.jpg");
  fs::create_directory_symlink("..", root / "a/up");
  fs::create_directory_symlink(".", root / "a/here");
  fs::create_directory_symlink(".", root / "itself");
  fs::create_directory_symlink("..", root / "above");
  fs::create_directory_symlink("loop", root / "loop");
  const FileIndex index = read_index(root);
  CHECK(paths(index) == std::vector<std::string>{"a/x.jpg", "a/linked/z.jpg", "b/again.jpg", "b/y.jpg", "c/z.jpg"});
  CHECK(contains(left_out_notice(index, "train"), "4 link back to a folder above it"));
}

TEST_CASE("what is left out is counted by its ending") {
  const TempFolder at;
  write_files(at,
              {"a/x.jpg", "a/1.gif", "a/2.GIF", "a/sub/3.gif", "a/notes.txt", "a/none", "a/.hidden.jpg", "top.jpg"});
  const std::string notice = left_out_notice(read_index(at.path()), "a/train");
  CHECK(contains(notice,
                 "a/train: 7 files left out: 3 .gif, 1 .jpg outside of class folders, 1 .txt, 1 hidden, 1 without"));
  CHECK(contains(notice, "reads no .gif images"));
  CHECK(left_out_notice(FileIndex(), "x") == "");
  write_files(at, {"b/\x1b[31m.\x1b[31m", "b/y.jpg"});
  CHECK(contains(left_out_notice(read_index(at.path()), "t"), "1 of an odd ending"));
}

TEST_CASE("changes are seen though folder times are the same, and files that are replaced in place") {
  const auto then = fs::file_time_type::clock::now() - std::chrono::hours(1);
  const TempFolder at;
  const auto read = [&](const std::vector<std::string>& files) {
    write_files(at, files);
    for (const auto& entry : fs::recursive_directory_iterator(at.path())) fs::last_write_time(entry.path(), then);
    return read_index(at.path());
  };
  CHECK(read({"a/x.jpg", "a/more/y.jpg", "b/z.jpg"}).size() == 3);
  CHECK(read({"a/more/new.jpg"}).size() == 4);
  CHECK(read({"c/1.jpg"}).classes.size() == 3);
  fs::rename(at.path() / "b/z.jpg", at.path() / "b/w.jpg");
  CHECK(read({}).path(3) == "b/w.jpg");
  at.write("b/w.jpg", {1, 2, 3, 4});
  CHECK(read({}).file_size(3) == 4);
}

TEST_CASE("what cannot be read, and what progress throws, comes out") {
  const TempFolder at;
  CHECK(contains(error_of<DataError>([&] { read_index(at.path() / "none"); }), "none: cannot be read: "));
  write_files(at, {"a/x.jpg", "b/y.jpg"});
  const auto stop = [](int64_t, int64_t, int64_t) { throw DataError("enough"); };
  CHECK(error_of<DataError>([&] { read_index(at.path(), stop); }) == "enough");
}
